//! The file that keeps the figures of a search's trainings, so that a search goes on where it was.

use crate::cli::args::Learn;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::train::search::Figures;
use cnnc_models::data::Samples;
use cnnc_models::network::Network;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

pub struct Record {
    path: PathBuf,
    key: String,
    /// `{"train": .., "fold": .., "figures": {..} or null}`, one a training.
    trainings: Vec<Value>,
}

/// What figures depend on besides settings and fold.
pub fn key(
    network: &Network,
    samples: &Samples,
    learn: &Learn,
    parts: usize,
    used: usize,
) -> String {
    format!(
        "network {:016x}, data {:016x}, seed {}, folds {used} of {parts}, weights {:?}, sampling {:?}",
        network.fingerprint(),
        samples.fingerprint(),
        learn.seed.unwrap_or(0),
        learn.class_weights,
        learn.sampling,
    )
}

impl Record {
    /// Reads what there is.
    ///
    /// # Errors
    /// If the file is no record, or one of another search.
    pub fn open(path: &Path, key: &str) -> Result<Record, Failure> {
        output::check(path)?;
        let mut record = Record {
            path: path.into(),
            key: key.into(),
            trainings: Vec::new(),
        };
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(record),
            text => text.map_err(|e| Failure::file(path, &e))?,
        };
        let wrong = |what: &str| Failure::input(format!("{}: {what}", path.display()));
        let mut value: Value = serde_json::from_str(&text)
            .map_err(|e| wrong(&format!("is no record of a search: {e}")))?;
        match value["of"].as_str() {
            Some(of) if of == key => {}
            Some(_) => {
                return Err(wrong(
                    "is the record of another search: network, data, seed or folds differ",
                ));
            }
            None => return Err(wrong("is no record of a search")),
        }
        if let Value::Array(trainings) = value["trainings"].take() {
            record.trainings = trainings;
        }
        Ok(record)
    }

    /// The figures of a training, if it was done.
    pub fn find(&self, training: &str, fold: usize) -> Option<Figures> {
        let is_it = |entry: &&Value| entry["train"] == training && entry["fold"] == fold;
        let entry = self.trainings.iter().find(is_it)?;
        let figures = |object: &Map<String, Value>| {
            let figure = |(name, value): (&String, &Value)| {
                (name.clone(), value.as_f64().unwrap_or(f64::NAN))
            };
            object.iter().map(figure).collect()
        };
        Some(entry["figures"].as_object().map(figures))
    }

    /// Adds a training, if it is not there, and writes the file.
    pub fn add(&mut self, training: &str, fold: usize, figures: &Figures) -> Result<(), Failure> {
        if self.find(training, fold).is_some() {
            return Ok(());
        }
        let object = |figures: &Vec<(String, f64)>| -> Map<String, Value> {
            let figures = figures.iter();
            figures.map(|(n, v)| (n.clone(), (*v).into())).collect()
        };
        let figures = figures.as_ref().map(object);
        self.trainings.push(serde_json::json!({
            "train": training, "fold": fold, "figures": figures,
        }));
        let text = serde_json::json!({ "of": self.key, "trainings": self.trainings });
        output::write(&self.path, text.to_string().as_bytes())
    }
}
