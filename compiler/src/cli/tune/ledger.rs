//! What a search has found so far: a row for every setting, told in order as soon as all its folds are done.

use super::record::Record;
use super::{Figure, Trial};
use crate::cli::args::Common;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::line;
use crate::train::search::{Figures, Job, Watcher};
use cnnc_models::description::section;
use cnnc_models::search::Configuration;
use cnnc_models::stopping::Best;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Columns of a history that say nothing of settings.
const LEFT_OUT: [&str; 2] = ["lr", "seconds"];

pub struct Ledger<'a> {
    trials: &'a [Trial],
    folds: usize,
    figure: &'a Figure,
    interrupt: &'a Interrupt,
    common: &'a Common,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    found: BTreeMap<Job, Figures>,
    record: Option<Record>,
    /// Settings that were told.
    told: usize,
    best: Best,
    best_trial: Option<usize>,
    failure: Option<Failure>,
}

/// What a search leaves.
pub struct Done {
    pub trainings: usize,
    /// Of the best settings that did not diverge: which, and their figure.
    pub best: Option<(usize, f64)>,
}

impl<'a> Ledger<'a> {
    pub fn new(
        trials: &'a [Trial],
        folds: usize,
        figure: &'a Figure,
        record: Option<Record>,
        interrupt: &'a Interrupt,
        common: &'a Common,
    ) -> Result<Ledger<'a>, Failure> {
        if !common.json && !common.quiet {
            let name = &figure.name;
            line(&format!("trial  {name:>14}  deviation  settings"))?;
        }
        Ok(Ledger {
            trials,
            folds,
            figure,
            interrupt,
            common,
            book: Mutex::new(Book {
                record,
                ..Book::default()
            }),
        })
    }

    pub fn finish(self) -> Result<Done, Failure> {
        let book = self.book.into_inner().unwrap_or_else(|e| e.into_inner());
        match book.failure {
            Some(failure) => Err(failure),
            None => Ok(Done {
                trainings: book.found.len(),
                best: book.best_trial.zip(book.best.value),
            }),
        }
    }

    fn note(&self, book: &mut Book, job: Job, figures: &Figures) -> Result<(), Failure> {
        let training = section(&self.trials[job.trial].training);
        if let Some(record) = &mut book.record {
            record.add(&training, job.fold, figures)?;
        }
        book.found.insert(job, figures.clone());
        while book.told < self.trials.len() {
            let trial = book.told;
            let jobs = (0..self.folds).map(|fold| Job { trial, fold });
            let found: Option<Vec<Figures>> =
                jobs.map(|job| book.found.get(&job).cloned()).collect();
            let Some(found) = found else {
                break;
            };
            book.told += 1;
            self.tell(book, trial, &found)?;
        }
        Ok(())
    }

    /// Means over the folds; the figure that counts with its deviation.
    fn tell(&self, book: &mut Book, trial: usize, found: &[Figures]) -> Result<(), Failure> {
        let whole: Option<Vec<&Vec<(String, f64)>>> = found.iter().map(Option::as_ref).collect();
        let configuration = &self.trials[trial].configuration;
        let Some(whole) = whole else {
            return self.tell_diverged(trial, configuration);
        };
        let column = |name: &str| -> Vec<f64> {
            let of = |figures: &&Vec<(String, f64)>| {
                let mut figures = figures.iter();
                figures
                    .find(|(n, _)| n == name)
                    .map_or(f64::NAN, |(_, v)| *v)
            };
            whole.iter().map(of).collect()
        };
        let scores = column(&self.figure.name);
        let (score, deviation) = (mean(&scores), deviation(&scores));
        if book.best.update(score, self.figure.goal, 0.0) {
            book.best_trial = Some(trial);
        }
        if !self.common.json {
            return self.row(
                &format!("{score:>14.4}  {deviation:9.4}"),
                trial,
                configuration,
            );
        }
        let mut row = Map::new();
        row.insert("trial".into(), (trial + 1).into());
        row.insert("settings".into(), settings(configuration));
        let names = whole.first().into_iter().flat_map(|figures| figures.iter());
        for (name, _) in names.filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
            row.insert(name.clone(), mean(&column(name)).into());
        }
        row.insert("deviation".into(), deviation.into());
        row.insert("folds".into(), scores.into());
        line(&Value::Object(row).to_string())
    }

    fn tell_diverged(&self, trial: usize, configuration: &Configuration) -> Result<(), Failure> {
        if self.common.json {
            let row = serde_json::json!({
                "trial": trial + 1, "settings": settings(configuration), "diverged": true,
            });
            return line(&row.to_string());
        }
        self.row(
            &format!("{:>14}  {:9}", "diverged", ""),
            trial,
            configuration,
        )
    }

    fn row(&self, figures: &str, trial: usize, settings: &Configuration) -> Result<(), Failure> {
        match self.common.quiet {
            true => Ok(()),
            false => line(&format!("{:5}  {figures}  {settings}", trial + 1)),
        }
    }
}

impl Watcher for Ledger<'_> {
    fn known(&self, job: Job) -> Option<Figures> {
        let book = self.book.lock().ok()?;
        let training = section(&self.trials[job.trial].training);
        book.record.as_ref()?.find(&training, job.fold)
    }

    fn done(&self, job: Job, figures: &Figures) {
        let Ok(mut book) = self.book.lock() else {
            return;
        };
        if let Err(failure) = self.note(&mut book, job, figures) {
            book.failure.get_or_insert(failure);
        }
    }

    fn stops(&self) -> bool {
        let has_failed = self.book.lock().map_or(true, |book| book.failure.is_some());
        has_failed || self.interrupt.came()
    }
}

/// Settings as an object; numbers as such.
pub fn settings(configuration: &Configuration) -> Value {
    let value = |text: &str| match text.parse::<f64>() {
        Ok(number) => number.into(),
        Err(_) => text.into(),
    };
    let settings = configuration.settings();
    Value::Object(settings.map(|(n, v)| (n.to_string(), value(v))).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation of a sample; 0 of a single value.
fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|v| (v - middle) * (v - middle)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}
