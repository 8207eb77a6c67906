//! What can go wrong when a session runs.

use crate::dtype::DType;
use std::io;

/// Why a run, or feeding or fetching a tensor, failed. Errors in what is fed leave the session as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    #[error("there is no {kind} '{name}'; there are: {known}")]
    UnknownName {
        kind: &'static str,
        name: String,
        known: String,
    },
    #[error("input '{name}' is missing")]
    MissingInput { name: String },
    #[error("input '{name}' is given twice")]
    DuplicateInput { name: String },
    #[error("{kind} '{name}' is {expected}, not {found}")]
    Type {
        kind: &'static str,
        name: String,
        expected: DType,
        found: DType,
    },
    #[error("{kind} '{name}' has shape [{expected}], not {found:?}")]
    Shape {
        kind: &'static str,
        name: String,
        expected: String,
        found: Vec<usize>,
    },
    #[error("inputs disagree on extent '{slot}': {first} and {second}")]
    Extent {
        slot: String,
        first: i64,
        second: i64,
    },
    #[error("{what} takes {bytes} bytes, which the system does not have: {source}")]
    Memory {
        what: &'static str,
        bytes: u64,
        #[source]
        source: io::Error,
    },
    #[error("cannot start thread {index} of {threads}: {source}")]
    Thread {
        index: usize,
        threads: usize,
        #[source]
        source: io::Error,
    },
    #[error("step '{step}': {source}")]
    Step {
        step: String,
        #[source]
        source: KernelError,
    },
    #[error("a thread panicked; the outputs of this run are undefined")]
    Panicked,
}

/// Why a portable kernel failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    #[error("input {index} is missing")]
    MissingInput { index: usize },
    #[error("{kind} {index} is {found}, which this kernel does not take")]
    Type {
        kind: &'static str,
        index: usize,
        found: DType,
    },
    #[error("index {value} at position {position} is outside of -{bound}..{bound}")]
    Index {
        value: i64,
        position: usize,
        bound: usize,
    },
    #[error("{what} is {found}, must be {expected}")]
    Value {
        what: &'static str,
        expected: String,
        found: i64,
    },
    #[error("{what} has shape {found:?}, expected {expected}")]
    Shape {
        what: String,
        expected: String,
        found: Vec<usize>,
    },
    #[error("extent '{slot}' is {value}, planned for at most {upper}")]
    Extent {
        slot: String,
        value: i64,
        upper: u64,
    },
    #[error("reaches outside of its memory")]
    Outside,
    #[error("{bytes} bytes of working memory are not to be had")]
    Memory { bytes: usize },
}
