//! Why training did not go on.

use crate::compile::CompileError;
use cnnc_models::checkpoint::CheckpointError;
use cnnc_models::data::{BatchError, Labelling};
use cnnc_models::metrics::MetricError;
use cnnc_models::spec::SpecError;
use cnnc_models::step::StepError;
use cnnc_runtime::RunError;
use thiserror::Error;

/// Why a network was not trained, or not judged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("state '{name}': its value does not fit it")]
    State { name: String },
    #[error(
        "the network {found}; data are pictures with a class each or a map of classes, so {expected}"
    )]
    NoClassifier {
        found: String,
        expected: &'static str,
    },
    #[error("input '{input}' takes samples of shape {expected:?}, the data have {found:?}")]
    Samples {
        input: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("the network gives {}, the {part} data have {}", labels(*given), labels(other(*given)))]
    Labelling {
        part: &'static str,
        /// What the network gives.
        given: Labelling,
    },
    #[error(
        "metric '{name}' keeps every score, too many where every pixel has some; iou is for maps"
    )]
    KeptScores { name: String },
    #[error(
        "balanced sampling draws images by their class; maps have many (class weights balance their pixels)"
    )]
    BalancedMaps,
    #[error("label {index} of the {part} data is {label}, expected 0 to {}", classes - 1)]
    Label {
        part: &'static str,
        index: usize,
        label: u32,
        classes: usize,
    },
    #[error("the {part} data: {source}")]
    Batch {
        part: &'static str,
        source: BatchError,
    },
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another run.
    #[error("the checkpoint does not fit this run: {0}")]
    Resume(String),
    /// A value that is no number.
    #[error("training diverged: the loss is {loss} at step {step}; {first}")]
    Diverged {
        step: u64,
        loss: f32,
        /// The first value that is no number, and the step that made it.
        first: String,
    },
}

fn labels(labelling: Labelling) -> &'static str {
    match labelling {
        Labelling::Image => "a class for every image",
        Labelling::Pixels => "a class for every pixel",
    }
}

fn other(labelling: Labelling) -> Labelling {
    match labelling {
        Labelling::Image => Labelling::Pixels,
        Labelling::Pixels => Labelling::Image,
    }
}
