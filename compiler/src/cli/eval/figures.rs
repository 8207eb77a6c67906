//! All figures of a classifier at once, for people and for programs.

use crate::train::TrainError;
use crate::train::judge::Judged;
use cnnc_models::data::Labelling;
use cnnc_models::metrics::{Auc, Confusion, Mean, MetricError, Metrics, Scores};
use cnnc_models::spec::SpecError;
use serde_json::{Value, json};
use std::path::Path;

/// Classes up to which the matrix is shown to people.
const MAX_SHOWN: usize = 30;

pub struct Figures {
    labelling: Labelling,
    columns: usize,
    loss: Mean,
    metrics: Metrics,
    confusion: Confusion,
    /// Where images are labelled; it keeps every score, of which pixels have too many.
    auc: Option<Auc>,
}

/// Names of the figures, in the order they are shown.
pub fn names(labelling: Labelling, top: u32) -> Vec<String> {
    let mut names = vec!["loss".to_string()];
    names.extend(metrics(labelling, top));
    names
}

fn metrics(labelling: Labelling, top: u32) -> Vec<String> {
    let top = format!("top{top}");
    let names = ["accuracy", &top, "precision", "recall", "f1", "iou", "auc"];
    let mut names: Vec<String> = names.map(str::to_string).to_vec();
    names.retain(|name| name != "auc" || labelling == Labelling::Image);
    names.dedup();
    names
}

impl Figures {
    /// For scores in rows of `columns`.
    pub fn new(labelling: Labelling, columns: usize, top: u32) -> Result<Figures, SpecError> {
        Ok(Figures {
            labelling,
            columns,
            loss: Mean::default(),
            metrics: Metrics::parse(&metrics(labelling, top).join(","), columns)?,
            confusion: Confusion::new(columns.max(2)),
            auc: (labelling == Labelling::Image).then(Auc::default),
        })
    }

    pub fn update(&mut self, judged: Judged) -> Result<(), TrainError> {
        let Judged {
            scores,
            losses,
            labels,
        } = judged;
        losses.iter().for_each(|&l| self.loss.update(l.into(), 1));
        self.metrics.update(scores, labels)?;
        let scores: Result<Scores, MetricError> = Scores::new(scores, self.columns, labels);
        let scores = scores?;
        self.confusion.update(&scores);
        if let Some(auc) = &mut self.auc {
            auc.update(&scores);
        }
        Ok(())
    }

    /// A figure by its name; NaN where there is none.
    pub fn value(&self, name: &str) -> f64 {
        let found = self.values().find(|(n, _)| *n == name);
        found.map_or(f64::NAN, |(_, value)| value)
    }

    fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        [("loss", self.loss.value())]
            .into_iter()
            .chain(self.metrics.values())
    }

    /// Figures of a class with their names.
    fn class(&self, class: usize) -> Vec<(&'static str, f64)> {
        let c = &self.confusion;
        let mut figures = vec![
            ("precision", c.precision(class)),
            ("recall", c.recall(class)),
            ("f1", c.f1(class)),
            ("iou", c.iou(class).unwrap_or(f64::NAN)),
        ];
        let area = |auc: &Auc| ("auc", auc.class(class).unwrap_or(f64::NAN));
        figures.extend(self.auc.as_ref().map(area));
        figures
    }

    /// One object.
    pub fn json(&self, model: &Path, samples: usize, seconds: f64, classes: &[String]) -> Value {
        let mut object = json!({"model": model.display().to_string(), "samples": samples});
        for (name, value) in self.values() {
            object[name] = value.into();
        }
        let count = self.confusion.classes();
        let class = |class| {
            let name = classes.get(class).map_or("", String::as_str);
            let mut object = json!({"class": name, "support": self.confusion.support(class)});
            for (name, value) in self.class(class) {
                object[name] = value.into();
            }
            object
        };
        object["classes"] = (0..count).map(class).collect();
        let rows = self.confusion.counts().chunks(count);
        object["confusion"] = rows.map(|row| json!(row)).collect();
        object["seconds"] = seconds.into();
        object
    }

    /// A table of figures, one of classes, the confusion matrix.
    pub fn text(&self, samples: usize, seconds: f64, classes: &[String]) -> String {
        let mut text = format!(
            "{samples} samples in {seconds:.2} s, {:.0} a second\n\n",
            samples as f64 / seconds.max(1e-9)
        );
        for (name, value) in self.values() {
            text += &format!("{name:<9}  {value:>9.5}\n");
        }
        let count = self.confusion.classes();
        let longest = classes.iter().map(|c| c.chars().count()).max();
        let width = longest.unwrap_or(0).max(5);
        let counted = match self.labelling {
            Labelling::Image => "samples",
            Labelling::Pixels => "pixels",
        };
        text += &format!("\n{:width$}  {counted:>9}", "class");
        for (name, _) in self.class(0) {
            text += &format!("  {name:>9}");
        }
        for class in 0..count {
            let name = classes.get(class).map_or("", String::as_str);
            text += &format!("\n{name:width$}  {:>9}", self.confusion.support(class));
            for (_, value) in self.class(class) {
                text += &format!("  {value:>9.5}");
            }
        }
        text.push('\n');
        if count <= MAX_SHOWN {
            text += &format!(
                "\nrows: true classes; columns: predicted ones\n{}\n",
                self.confusion
            );
        }
        text.trim_end().to_string()
    }
}
