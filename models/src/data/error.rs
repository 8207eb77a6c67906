//! What can be wrong with a data set. Every message names the file, and the sample where one is to blame.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data set was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },

    /// The file is not what its name says, or is damaged.
    #[error("{}: {problem}", path.display())]
    Corrupt { path: PathBuf, problem: String },

    /// The file ends early, or goes on behind its end.
    #[error("{}: the header promises {expected} bytes of data, found {found}", path.display())]
    Length {
        path: PathBuf,
        expected: usize,
        found: String,
    },

    /// More memory than the reader may take.
    #[error("{}: needs {needed} bytes of memory, more than the limit of {limit}", path.display())]
    TooLarge {
        path: PathBuf,
        needed: u128,
        limit: usize,
    },

    #[error("{}: holds {labels} labels for the {images} images of {}", labels_path.display(), images_path.display())]
    Counts {
        images_path: PathBuf,
        images: usize,
        labels_path: PathBuf,
        labels: usize,
    },

    #[error("{}: label {index} is {label}, expected 0 to {}", path.display(), *classes as i64 - 1)]
    Label {
        path: PathBuf,
        index: usize,
        label: i64,
        classes: usize,
    },

    /// A pixel of a map that has no class.
    #[error("{}: {place} is {label}, expected a class, 0 to {}", path.display(), *classes as i64 - 1)]
    Pixel {
        path: PathBuf,
        place: String,
        label: i64,
        classes: usize,
    },

    /// A shape that images cannot have, or that differs from the other images'.
    #[error("{}: images of shape {found}, expected {expected}", path.display())]
    Shape {
        path: PathBuf,
        expected: String,
        found: String,
    },

    /// A value that is no brightness.
    #[error("{}: image {index} holds {value}, expected finite values", path.display())]
    Value {
        path: PathBuf,
        index: usize,
        value: f32,
    },

    #[error("{}: {what}", path.display())]
    Empty { path: PathBuf, what: &'static str },

    /// Something that belongs to the data set is not there.
    #[error("{}: expected {expected}", path.display())]
    Missing { path: PathBuf, expected: String },
}

impl DataError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> DataError {
        let path = path.to_owned();
        |source| DataError::Io { path, source }
    }

    pub(crate) fn corrupt(path: &Path, problem: impl Into<String>) -> DataError {
        DataError::Corrupt {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn missing(path: &Path, expected: impl Into<String>) -> DataError {
        DataError::Missing {
            path: path.to_owned(),
            expected: expected.into(),
        }
    }
}
