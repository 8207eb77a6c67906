//! A network fitted to a data set: what to say, and what comes back.

use super::TrainError;
use super::feed::Feed;
use super::observer::Observer;
use super::run::Run;
use super::settings;
use crate::compile::CompileOptions;
use cnnc_ir::Tensor;
use cnnc_models::checkpoint::{Checkpoint, Folder};
use cnnc_models::data::{Samples, Sampling};
use cnnc_models::history::History;
use cnnc_models::network::{Network, Training};
use cnnc_models::step::Settings;

/// What is learnt from, and what is judged by; the latter may be empty.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub train: &'a Samples,
    pub validation: &'a Samples,
}

/// How a network is trained.
#[derive(Clone, Debug)]
pub struct Options {
    pub training: Training,
    /// Of the order of samples, augmentation and dropout; the parameters are the network's.
    pub seed: u64,
    pub sampling: Sampling,
    pub class_weights: ClassWeights,
    /// 0 stands for all processors.
    pub threads: usize,
    pub compile: CompileOptions,
    pub checkpoints: Option<Checkpoints>,
}

/// Factors of the losses of the samples, or pixels, of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    #[default]
    Equal,
    /// Rare and frequent classes weigh alike: [`class_weights`].
    Balanced,
    /// One a class.
    Given(Vec<f32>),
}

/// Where checkpoints go: one after every epoch.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub folder: Folder,
    /// And one after every so many steps.
    pub every: Option<u64>,
}

impl Options {
    /// What the training section asks for, seed 0, all processors, no checkpoints.
    pub fn new(training: Training, compile: CompileOptions) -> Options {
        Options {
            training,
            seed: 0,
            sampling: Sampling::default(),
            class_weights: ClassWeights::default(),
            threads: 0,
            compile,
            checkpoints: None,
        }
    }

    /// What the step is made for.
    pub(super) fn settings(&self) -> Settings {
        let seed = (self.seed ^ self.seed >> 32) as u32;
        Settings {
            weighted: self.class_weights != ClassWeights::Equal,
            ..settings(&self.training, self.training.batch as usize, seed)
        }
    }

    /// What a step is compiled with. The work is cut for as many threads wherever it is done: the bits shall not depend on it.
    pub(super) fn compile(&self) -> CompileOptions {
        CompileOptions {
            threads: THREADS,
            ..self.compile.clone()
        }
    }
}

/// Threads that the work is cut for.
const THREADS: usize = 4;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All epochs are done.
    Done,
    /// The figure did not get better any more.
    Early,
    /// The observer wished so.
    Stopped,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Fit {
    /// `epoch`, `loss`, the metrics, `val_loss`, `val_...` where there is validation data, `lr`, `seconds`; a row an epoch.
    pub history: History,
    /// Parameters and running statistics: with early stopping those of the best epoch, else the last.
    pub weights: Vec<(String, Tensor)>,
    pub end: End,
    /// Steps done.
    pub steps: u64,
}

/// Trains a network, from its parameters as they are or from a checkpoint of the same run.
///
/// # Errors
/// If network and data do not fit each other, something cannot be compiled, or a value became no number.
pub fn fit(
    network: &Network,
    data: Data,
    options: &Options,
    from: Option<&Checkpoint>,
    observer: &mut dyn Observer,
) -> Result<Fit, TrainError> {
    let mut run = Run::new(network, data, options)?;
    if let Some(checkpoint) = from {
        run.resume(checkpoint)?;
    }
    let mut sequence = run.sequence.clone();
    let refused = |source| TrainError::Batch {
        part: "training",
        source,
    };
    sequence.resume(run.position).map_err(refused)?;
    let end = std::thread::scope(|scope| {
        let (size, augment) = (run.batch, &options.training.augment);
        let (feed, maker) = Feed::new(scope, data.train, sequence, size, augment);
        let end = run.epochs(&feed, observer);
        drop(feed);
        if let Err(panic) = maker.join() {
            std::panic::resume_unwind(panic);
        }
        end
    })?;
    run.finish(end)
}
