//! From a run to its checkpoint and back.
//!
//! | of a run | in the checkpoint |
//! |---|---|
//! | parameters, slots, running statistics | tensors of their names |
//! | the best epoch's weights | tensors `best/NAME` |
//! | loss and metrics of the running epoch so far | tensors `epoch/NAME`, u64 |
//! | step, position in the data, seed, early stopping | progress |
//! | history, seconds of the running epoch | notes |
//! | what the run is: network, data, settings | notes, which a run that goes on must agree with; only the number of epochs may be another |

use super::TrainError;
use super::fit::ClassWeights;
use super::run::Run;
use cnnc_ir::{DType, Tensor};
use cnnc_models::checkpoint::{Checkpoint, Progress};
use cnnc_models::history::History;
use cnnc_models::metrics::Mean;
use std::collections::BTreeMap;

const BEST: &str = "best/";
const EPOCH: &str = "epoch/";
const LOSS: &str = "loss";
const HISTORY: &str = "history";
const SECONDS: &str = "seconds";

impl Run<'_> {
    /// All that is needed to go on.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        let mut tensors = self.trainer.values()?;
        let best = self.best_weights.iter();
        tensors.extend(best.map(|(name, t)| (format!("{BEST}{name}"), t.clone())));
        if self.position.batch > 0 {
            tensors.push((format!("{EPOCH}{LOSS}"), numbers(&self.loss.counted())));
            for (name, counted) in self.metrics.counted() {
                tensors.push((format!("{EPOCH}{name}"), numbers(&counted)));
            }
        }
        let mut notes = self.identity();
        notes.insert(HISTORY.into(), self.history.to_string());
        notes.insert(SECONDS.into(), self.spent().to_string());
        Ok(Checkpoint {
            progress: Progress {
                step: self.step,
                position: self.position,
                seed: self.options.seed,
                best: self.best,
                optimizer: self.options.training.optimizer.to_string(),
                notes,
            },
            tensors,
        })
    }

    /// What makes the run the one it is; found out once, since it reads all data.
    fn identity(&mut self) -> BTreeMap<String, String> {
        if let Some(known) = &self.identity {
            return known.clone();
        }
        let identity = self.entries();
        self.identity = Some(identity.clone());
        identity
    }

    fn entries(&self) -> BTreeMap<String, String> {
        let training = &self.options.training;
        let entries = [
            ("network", self.network.graph.name.clone()),
            (
                "network hash",
                format!("{:016x}", self.network.fingerprint()),
            ),
            (
                "training data",
                format!("{:016x}", self.data.train.fingerprint()),
            ),
            (
                "validation data",
                format!("{:016x}", self.data.validation.fingerprint()),
            ),
            ("loss", training.loss.to_string()),
            ("schedule", training.schedule.to_string()),
            ("batch", training.batch.to_string()),
            ("l1", training.l1.to_string()),
            ("l2", training.l2.to_string()),
            ("clip", format!("{:?}", training.clip)),
            ("metrics", training.metrics.join(",")),
            ("augmentation", training.augment.to_string()),
            ("early stopping", format!("{:?}", training.early_stopping)),
            ("sampling", format!("{:?}", self.options.sampling)),
            (
                "class weights",
                match &self.options.class_weights {
                    ClassWeights::Given(weights) => format!("{weights:?}"),
                    other => format!("{other:?}"),
                },
            ),
        ];
        entries
            .into_iter()
            .map(|(key, value)| (key.to_string(), value))
            .collect()
    }

    /// Takes the place of the run that the checkpoint is of.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let progress = &checkpoint.progress;
        self.compare(progress)?;
        let damaged = |what: &str| TrainError::Resume(format!("it has no {what} that makes sense"));
        for state in self.trainer.states().to_vec() {
            let value = checkpoint
                .tensor(&state.name)
                .filter(|t| t.ty() == state.initial.ty());
            let value = value.ok_or_else(|| damaged(&format!("state '{}'", state.name)))?;
            self.trainer.set(&state.name, value)?;
        }
        let best = checkpoint
            .tensors
            .iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(BEST)?.to_string(), t.clone())));
        self.best_weights = best.collect();
        for (name, tensor) in &checkpoint.tensors {
            let Some(name) = name.strip_prefix(EPOCH) else {
                continue;
            };
            let counted = counts(tensor).ok_or_else(|| damaged(name))?;
            if name == LOSS {
                let counted = counted.try_into().map_err(|_| damaged(name))?;
                self.loss = Mean::resumed(counted);
            } else if !self.metrics.resume(name, &counted) {
                return Err(damaged(name));
            }
        }
        let note = |key: &str| progress.notes.get(key);
        let history = note(HISTORY).and_then(|text| text.parse::<History>().ok());
        let history = history.filter(|h| h.columns() == self.history.columns());
        self.history = history.ok_or_else(|| damaged(HISTORY))?;
        let seconds = note(SECONDS).and_then(|text| text.parse().ok());
        self.seconds = seconds.ok_or_else(|| damaged(SECONDS))?;
        self.step = progress.step;
        self.position = progress.position;
        self.best = progress.best;
        Ok(())
    }

    /// Refuses a checkpoint of another run, and says what differs.
    fn compare(&mut self, progress: &Progress) -> Result<(), TrainError> {
        let mut pairs = vec![
            (
                "seed".to_string(),
                progress.seed.to_string(),
                self.options.seed.to_string(),
            ),
            (
                "optimizer".to_string(),
                progress.optimizer.clone(),
                self.options.training.optimizer.to_string(),
            ),
        ];
        for (key, here) in self.identity() {
            let there = progress.notes.get(&key).cloned().unwrap_or_default();
            pairs.push((key, there, here));
        }
        match pairs.into_iter().find(|(_, there, here)| there != here) {
            None => Ok(()),
            Some((key, there, here)) => Err(TrainError::Resume(format!(
                "its {key} is '{there}', this run's is '{here}'"
            ))),
        }
    }
}

fn numbers(values: &[u64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let tensor = Tensor::new(DType::U64, vec![values.len()], bytes.into());
    tensor.unwrap_or_else(|| Tensor::ints(&[]))
}

fn counts(tensor: &Tensor) -> Option<Vec<u64>> {
    let words = tensor.bytes().chunks_exact(8);
    let word = |w: &[u8]| w.first_chunk().map(|w| u64::from_le_bytes(*w));
    words
        .map(word)
        .collect::<Option<Vec<u64>>>()
        .filter(|_| tensor.dtype() == DType::U64)
}
