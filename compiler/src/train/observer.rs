//! Who watches a run, and may end it.

use cnnc_models::history::History;
use std::path::Path;

/// What a step left.
#[derive(Clone, Copy)]
pub struct StepDone<'a> {
    /// Steps done in the whole run.
    pub step: u64,
    /// The running epoch, the first being 1, and how many are wanted.
    pub epoch: u64,
    pub epochs: u64,
    /// Steps done in this epoch, and how many it has.
    pub batch: u64,
    pub batches: u64,
    /// Samples a step.
    pub samples: usize,
    /// Means over the epoch so far: the loss, then the metrics by name.
    pub figures: &'a dyn Fn() -> Vec<(String, f64)>,
}

/// What an epoch left: the last row of a history.
#[derive(Clone, Copy, Debug)]
pub struct EpochDone<'a> {
    pub history: &'a History,
    /// Steps done in the whole run.
    pub step: u64,
    /// Whether its figure is the best so far; without early stopping none is judged.
    pub is_best: bool,
}

/// Watches a run; every method may be left out.
pub trait Observer {
    fn step(&mut self, _: StepDone) {}
    fn epoch(&mut self, _: EpochDone) {}
    /// A checkpoint stands.
    fn saved(&mut self, _: &Path) {}
    /// Whether the run shall end; asked after every step and batch of validation.
    fn stops(&mut self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Blind;

impl Observer for Blind {}
