//! Which numpy array is which: pairs of names for images and labels.

use super::error::DataError;
use super::numpy::{NumpyError, read_npy, read_npz};
use super::part::{Images, Labels, Part};
use super::samples::Pixels;
use super::{Options, Source};
use cnnc_ir::{DType, Tensor};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Names of images and labels of the training part, each with those of its test part.
const NAMES: [[(&str, &str); 2]; 4] = [
    [("x_train", "y_train"), ("x_test", "y_test")],
    [
        ("train_images", "train_labels"),
        ("test_images", "test_labels"),
    ],
    [("images", "labels"), ("test_images", "test_labels")],
    [("x", "y"), ("x_test", "y_test")],
];

fn is_wanted(name: &str) -> bool {
    let mut pairs = NAMES.iter().flatten();
    pairs.any(|&(images, labels)| name == images || name == labels)
}

/// Reads an `.npz` archive, or `None` where the file's name is another.
pub(super) fn read_archive(path: &Path, options: &Options) -> Result<Option<Source>, DataError> {
    if path
        .extension()
        .is_none_or(|e| !e.eq_ignore_ascii_case("npz"))
    {
        return Ok(None);
    }
    let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
    let arrays = read_npz(file, options.limit, is_wanted).map_err(|e| refused(path, e))?;
    let arrays = arrays.into_iter().map(|(name, tensor)| Array {
        path: path.join(&name),
        name,
        tensor,
    });
    match source(arrays.collect())? {
        Some(source) => Ok(Some(source)),
        None => Err(DataError::missing(
            path,
            "arrays x_train and y_train, or images and labels",
        )),
    }
}

/// Reads the `.npy` files, or the only `.npz` archive, of a folder; `None` where there are none.
pub(super) fn read_folder(folder: &Path, options: &Options) -> Result<Option<Source>, DataError> {
    let (mut arrays, mut archives) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") if is_wanted(&name) => {
                let file = BufReader::new(File::open(&path).map_err(DataError::io(&path))?);
                let tensor =
                    read_npy(file.take(options.limit as u64)).map_err(|e| refused(&path, e))?;
                arrays.push(Array { path, name, tensor });
            }
            Some("npz") => archives.push(path),
            _ => {}
        }
    }
    match &archives[..] {
        [only] if arrays.is_empty() => read_archive(only, options),
        _ => source(arrays),
    }
}

fn refused(path: &Path, error: NumpyError) -> DataError {
    DataError::corrupt(path, error.to_string())
}

struct Array {
    path: PathBuf,
    name: String,
    tensor: Tensor,
}

fn source(mut arrays: Vec<Array>) -> Result<Option<Source>, DataError> {
    let Some([train, test]) = NAMES
        .iter()
        .find(|[train, _]| arrays.iter().any(|a| a.name == train.0))
    else {
        return Ok(None);
    };
    let train = part(&mut arrays, *train)?;
    let test = match arrays.iter().any(|a| a.name == test.0) {
        true => Some(part(&mut arrays, *test)?),
        false => None,
    };
    Ok(Some(Source {
        train,
        test,
        names: None,
    }))
}

fn part(arrays: &mut Vec<Array>, names: (&str, &str)) -> Result<Part, DataError> {
    let mut take = |name| {
        let at = arrays.iter().position(|a: &Array| a.name == name)?;
        Some(arrays.swap_remove(at))
    };
    let (Some(images), labels) = (take(names.0), take(names.1)) else {
        return Err(DataError::missing(
            Path::new(names.0),
            "an array of this name",
        ));
    };
    let labels = labels.ok_or_else(|| {
        DataError::missing(&images.path, format!("an array '{}' beside it", names.1))
    })?;
    Ok(Part {
        images: as_images(images)?,
        labels: as_labels(labels)?,
    })
}

fn as_images(array: Array) -> Result<Images, DataError> {
    let Array { path, tensor, .. } = array;
    let pixels = match tensor.dtype() {
        DType::U8 => Pixels::U8(tensor.bytes().to_vec()),
        dtype if dtype.is_float() => Pixels::F32(tensor.to_f32()),
        other => {
            let problem = format!("images of element type {other}, expected u8 or a float");
            return Err(DataError::corrupt(&path, problem));
        }
    };
    Images::new(&path, tensor.shape(), pixels)
}

/// One integer an image, or one a pixel: `[images, height, width]`, with an axis of 1 for the channel or without.
fn as_labels(array: Array) -> Result<Labels, DataError> {
    let Array { path, tensor, .. } = array;
    let is_whole = tensor.dtype().is_int() || tensor.dtype() == DType::Bool;
    let map = match *tensor.shape() {
        [_] | [_, 1] => None,
        [_, h, w] | [_, 1, h, w] | [_, h, w, 1] => Some([h, w]),
        _ => Some([0, 0]),
    };
    if !is_whole || map.is_some_and(|map| map.contains(&0)) {
        let problem = format!(
            "labels of type {}, expected one integer a sample, or a map of them: [samples, height, width]",
            tensor.ty()
        );
        return Err(DataError::corrupt(&path, problem));
    }
    Ok(Labels {
        map,
        ..Labels::new(&path, tensor.to_i64())
    })
}
