//! From `--data DIR` to samples that fit a classifier.

use super::failure::Failure;
use crate::train::classifier::Classifier;
use cnnc_models::data::{DataError, Dataset, Options};
use std::path::Path;

impl From<DataError> for Failure {
    fn from(e: DataError) -> Failure {
        match e {
            DataError::Io { .. } => Failure::system(e),
            e => Failure::input(e),
        }
    }
}

/// Reads the data set; pictures become what the classifier takes, labels are held against its classes.
pub fn open(
    path: &Path,
    classifier: &Classifier,
    test_fraction: f64,
    seed: u64,
    resize: bool,
) -> Result<Dataset, Failure> {
    let picture = classifier.picture();
    let options = Options {
        size: picture.map(|[_, height, width]| [height, width]),
        resize,
        channels: picture
            .map(|[channels, ..]| channels)
            .filter(|c| [1, 3].contains(c)),
        classes: Some(classifier.classes()),
        test_fraction,
        seed,
        ..Options::default()
    };
    Ok(Dataset::open(path, &options)?)
}
