//! Checkpoints: all that a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a safetensors file (<https://huggingface.co/docs/safetensors>), so that other programs read its weights:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 8 | H, the length of the header, little-endian |
//! | 8 | H | JSON: `{"__metadata__":{"hash":"...", ...},"NAME":{"dtype":"F32","shape":[...],"data_offsets":[begin,end]}, ...}`, spaces to a multiple of 8 |
//! | 8 + H | to the end | the tensors, little-endian, row-major, in the header's order, without gaps |
//!
//! `hash` comes first: XXH3-128 over the whole file in which the hash's own 32 digits are zeros. So every truncation and every flipped bit is
//! refused: accidents, that is; who means harm can compute a hash, and gets a clean error from the checks behind it.
//!
//! A file is written beside its name, synced, renamed, and its folder synced: whenever the machine stops, the old checkpoint stands or the
//! new one. [`Folder`] keeps the last few.
//!
//! [`Weights`] are such a file without a run; those that other programs wrote are read as well.
//!
//! What a run needs, and where it is: parameters, optimiser state and running statistics are tensors; the order of data and every random
//! number follow from [`Progress::seed`] and [`Progress::position`]; the schedule follows from [`Progress::step`].

mod decode;
mod encode;
mod folder;
mod replace;
mod weights;

pub use folder::Folder;
pub use weights::Weights;

use crate::data::Position;
use crate::stopping::Best;
use cnnc_ir::Tensor;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The metadata's entry `format`.
const FORMAT: &str = "cnnc checkpoint 1";

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// In the sequence of batches.
    pub position: Position,
    /// Of all random numbers.
    pub seed: u64,
    /// The best figure so far, as early stopping knows it.
    pub best: Best,
    /// The optimiser with its options, as it was spelt.
    pub optimizer: String,
    /// What else the run wants to find again, such as its network's name; keys are the run's own.
    pub notes: BTreeMap<String, String>,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    pub progress: Progress,
    /// Names are unique.
    pub tensors: Vec<(String, Tensor)>,
}

/// Why a checkpoint was not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        source: Box<CheckpointError>,
    },
    #[error("is no safetensors file: {0}")]
    Container(&'static str),
    #[error("is no checkpoint: its header does not begin with a hash")]
    Foreign,
    #[error("is damaged: its content does not have the hash that it says")]
    Hash,
    #[error("is a '{0}', expected a '{FORMAT}'")]
    Version(String),
    #[error("has a header that makes no sense: {0}")]
    Header(String),
    #[error("tensor '{name}': {problem}")]
    Tensor { name: String, problem: String },
}

impl CheckpointError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
        let path = path.to_owned();
        |source| CheckpointError::Io { path, source }
    }

    fn within(path: &Path) -> impl FnOnce(CheckpointError) -> CheckpointError {
        let path = path.to_owned();
        |source| CheckpointError::File {
            path,
            source: Box::new(source),
        }
    }
}

impl Checkpoint {
    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    /// Gives `path` this content, or leaves it as it was.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(CheckpointError::within(path))?;
        replace::replace(path, &bytes).map_err(CheckpointError::io(path))
    }

    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let bytes = std::fs::read(path).map_err(CheckpointError::io(path))?;
        Checkpoint::from_bytes(bytes.into()).map_err(CheckpointError::within(path))
    }
}
