//! All figures of a classifier at once, for people and for programs.

use crate::train::TrainError;
use crate::train::judge::Judged;
use cnnc_models::metrics::{Auc, Confusion, Mean, MetricError, Metrics, Scores};
use cnnc_models::spec::SpecError;
use serde_json::{Value, json};
use std::path::Path;

/// Classes up to which the matrix is shown to people.
const MAX_SHOWN: usize = 30;

pub struct Figures {
    columns: usize,
    loss: Mean,
    metrics: Metrics,
    confusion: Confusion,
    auc: Auc,
}

/// Names of the figures, in the order they are shown.
pub fn names(top: u32) -> Vec<String> {
    let mut names = vec!["loss".to_string()];
    names.extend(metrics(top));
    names
}

fn metrics(top: u32) -> Vec<String> {
    let top = format!("top{top}");
    let names = ["accuracy", &top, "precision", "recall", "f1", "auc"];
    let mut names: Vec<String> = names.map(str::to_string).to_vec();
    names.dedup();
    names
}

impl Figures {
    /// For scores in rows of `columns`.
    pub fn new(columns: usize, top: u32) -> Result<Figures, SpecError> {
        Ok(Figures {
            columns,
            loss: Mean::default(),
            metrics: Metrics::parse(&metrics(top).join(","), columns)?,
            confusion: Confusion::new(columns.max(2)),
            auc: Auc::default(),
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
        self.auc.update(&scores);
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

    /// Name, support, precision, recall, F1 and area of a class.
    fn class<'a>(&self, class: usize, classes: &'a [String]) -> (&'a str, u64, [f64; 4]) {
        let c = &self.confusion;
        let auc = self.auc.class(class).unwrap_or(f64::NAN);
        let name = classes.get(class).map_or("", String::as_str);
        let figures = [c.precision(class), c.recall(class), c.f1(class), auc];
        (name, c.support(class), figures)
    }

    /// One object.
    pub fn json(&self, model: &Path, samples: usize, seconds: f64, classes: &[String]) -> Value {
        let mut object = json!({"model": model.display().to_string(), "samples": samples});
        for (name, value) in self.values() {
            object[name] = value.into();
        }
        let count = self.confusion.classes();
        let class = |class| {
            let (name, support, [precision, recall, f1, auc]) = self.class(class, classes);
            json!({"class": name, "support": support, "precision": precision, "recall": recall, "f1": f1, "auc": auc})
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
        let width = classes
            .iter()
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        text += &format!(
            "\n{:width$}  {:>7}  precision   recall       f1      auc\n",
            "class", "samples"
        );
        for class in 0..count {
            let (name, support, [precision, recall, f1, auc]) = self.class(class, classes);
            text += &format!(
                "{name:width$}  {support:>7}  {precision:>9.5}  {recall:>7.5}  {f1:>7.5}  {auc:>7.5}\n"
            );
        }
        if count <= MAX_SHOWN {
            text += &format!(
                "\nrows: true classes; columns: predicted ones\n{}\n",
                self.confusion
            );
        }
        text.trim_end().to_string()
    }
}
