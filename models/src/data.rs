//! Data sets of labelled images: MNIST's IDX files, numpy's arrays, folders of pictures. A label is the class of an image, or a map of the
//! classes of its pixels.
//!
//! | what lies there | read as |
//! |---|---|
//! | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-...`, `t10k-labels-...`, each plain or `.gz` | IDX |
//! | `images-idx3-ubyte`, `labels-idx1-ubyte` | IDX, one part |
//! | a file `.npz`, or `.npy` files in a folder: `x_train`, `y_train`, `x_test`, `y_test`, or `images`, `labels`, or `x`, `y` | [`numpy`] |
//! | the same, with labels of `[images, height, width]` | [`numpy`], maps |
//! | `train/CLASS/*.png`, `test/CLASS/*.jpg`, or `CLASS/*.png` | pictures |
//! | `train/images/*.jpg` and `train/masks/*.png` of the same names, `test/...`, or `images` and `masks` | pictures, with maps |
//!
//! A map has its image's height and width. The values of a mask, a grey PNG file or one with a palette, are numbers of classes; of two
//! classes 0 and 255 will do. Where there is no test part, a seeded share of every class becomes it, of images with maps a share of all. Classes are named by the folders, by a file `classes.txt` or
//! `labels.txt` (a name a line), else by their numbers. A data set that is read is whole: every label has a class, every image has a label,
//! every value is a number.
//!
//! Deliberately absent: downloading, and data sets larger than memory.

mod arrays;
mod augment;
mod batches;
mod error;
mod folders;
mod idx;
mod idx_names;
mod masks;
pub mod numpy;
mod part;
mod resize;
mod samples;

pub use augment::{Augment, Augmentation};
pub use batches::{Batch, BatchError, Batches, Position, Sampling, class_weights, in_order};
pub use error::DataError;
pub use samples::{Labelling, Pixels, Samples};

use part::Part;
use std::fs;
use std::path::Path;

/// How to read a data set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Height and width that pictures are resized to; `None`: all must be of one size.
    pub size: Option<[usize; 2]>,
    /// Whether images of arrays and IDX files are resized, too.
    pub resize: bool,
    /// 1 or 3 channels that pictures are read with; `None`: as the first has.
    pub channels: Option<usize>,
    /// Number of classes, which labels are held against; `None`: as many as the training part shows.
    pub classes: Option<usize>,
    /// Share of the samples that become the test part where the data set has none.
    pub test_fraction: f64,
    /// Which samples those are.
    pub seed: u64,
    /// Bytes that one array may take.
    pub limit: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            size: None,
            resize: false,
            channels: None,
            classes: None,
            test_fraction: 0.2,
            seed: 0,
            limit: 8 << 30,
        }
    }
}

/// Images to learn from, images to judge by, and what they may show.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub train: Samples,
    pub test: Samples,
    /// A name for every class.
    pub classes: Vec<String>,
}

/// What a reader found.
struct Source {
    train: Part,
    test: Option<Part>,
    names: Option<Vec<String>>,
}

impl Dataset {
    /// Reads the data set at `path`, a folder or an `.npz` file.
    pub fn open(path: &Path, options: &Options) -> Result<Dataset, DataError> {
        let metadata = fs::metadata(path).map_err(DataError::io(path))?;
        let source = if metadata.is_dir() {
            let readers = [idx_names::read, arrays::read_folder, folders::read];
            let mut found = None;
            for read in readers {
                if found.is_none() {
                    found = read(path, options)?;
                }
            }
            found
        } else {
            arrays::read_archive(path, options)?
        };
        let expected = "IDX files (train-images-idx3-ubyte.gz, ...), arrays (x_train, y_train), a folder of pictures for each class, or folders 'images' and 'masks'";
        let mut source = source.ok_or_else(|| DataError::missing(path, expected))?;
        if source.names.is_none() && metadata.is_dir() {
            source.names = class_names(path)?;
        }
        source.finish(options)
    }
}

/// The lines of `classes.txt` or `labels.txt`.
fn class_names(folder: &Path) -> Result<Option<Vec<String>>, DataError> {
    for file in ["classes.txt", "labels.txt"] {
        let path = folder.join(file);
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(DataError::io(&path))?;
            return Ok(Some(text.lines().map(|l| l.trim().to_string()).collect()));
        }
    }
    Ok(None)
}

impl Source {
    fn finish(self, options: &Options) -> Result<Dataset, DataError> {
        let most = options.classes.or(self.names.as_ref().map(Vec::len));
        let sized = |part| match options.size.filter(|_| options.resize) {
            Some(size) => resize::resized(part, size, options.limit),
            None => Ok(part),
        };
        let train = sized(self.train)?.finish(most)?;
        let shown = train.labels().iter().max().map_or(0, |l| *l as usize + 1);
        let count = most.unwrap_or(shown);
        let (train, test) = match self.test {
            Some(test) => {
                let [path, labels_path] = [&test.images.path, &test.labels.path].map(Clone::clone);
                let test = sized(test)?.finish(Some(count))?;
                if test.shape() != train.shape() {
                    return Err(DataError::Shape {
                        path,
                        expected: format!("{:?} as the training part has", train.shape()),
                        found: format!("{:?}", test.shape()),
                    });
                }
                if test.labelling() != train.labelling() {
                    let what = "labels images where the training part labels pixels, or the other way round";
                    return Err(DataError::corrupt(&labels_path, what));
                }
                (train, test)
            }
            None => train.split(options.test_fraction, options.seed),
        };
        let mut classes = self.names.unwrap_or_default();
        classes.extend((classes.len()..count).map(|class| class.to_string()));
        Ok(Dataset {
            train,
            test,
            classes,
        })
    }
}
