//! Pictures (PNG, JPEG) in folders that are named after their class: `ROOT/train/cat/1.png`, `ROOT/test/dog/7.jpg`, or one part only,
//! `ROOT/cat/1.png`. Classes are numbered in alphabetical order of the training part, pictures come in the order of their names.
//!
//! Folders `images` and `masks` beside each other are no classes: their pictures have [`masks`].

use super::error::DataError;
use super::part::{Images, Labels, Part};
use super::samples::Pixels;
use super::{Options, Source, masks};
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits};
use std::fs;
use std::path::{Path, PathBuf};

const TRAIN: [&str; 2] = ["train", "training"];
const TEST: [&str; 5] = ["test", "testing", "val", "valid", "validation"];
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];
/// Width and height of the largest picture that is read, before it is resized.
const MAX_SIDE: u32 = 1 << 14;

/// Reads the folders below `root`, or `None` where there are none.
pub(super) fn read(root: &Path, options: &Options) -> Result<Option<Source>, DataError> {
    let below = folders(root)?;
    let named = |names: &[&str]| {
        let found = below
            .iter()
            .find(|f| names.contains(&name(f).to_lowercase().as_str()));
        found.cloned()
    };
    let (train, test) = match (named(&TRAIN), named(&TEST)) {
        (Some(train), test) => (train, test),
        (None, Some(_)) => {
            return Err(DataError::missing(
                root,
                "a folder 'train' beside the test part",
            ));
        }
        (None, None) if below.is_empty() => return Ok(None),
        (None, None) => (root.to_owned(), None),
    };
    let folders = folders(&train)?;
    let has_masks = masks::are_in(&folders);
    let names: Vec<String> = folders.iter().map(|f| name(f)).collect();
    let mut reader = Reader {
        shape: options
            .size
            .zip(options.channels)
            .map(|([h, w], c)| [c, h, w]),
        options,
        names: &names,
    };
    let mut part = |root: &Path| match has_masks {
        true => masks::part(&mut reader, root),
        false => reader.part(root),
    };
    let train = part(&train)?;
    let test = test.map(|test| part(&test)).transpose()?;
    Ok(Some(Source {
        train,
        test,
        names: (!has_masks).then_some(names),
    }))
}

pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What lies in a folder and is not hidden, sorted.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let wrong = |e| DataError::io(folder)(e);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if !name(&path).starts_with('.') {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = entries(folder)?;
    found.retain(|path| path.is_dir());
    Ok(found)
}

/// Whether a file is a picture, by its name.
pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    PICTURES.contains(&extension.unwrap_or_default().to_lowercase().as_str())
}

pub(super) struct Reader<'a> {
    pub options: &'a Options,
    names: &'a [String],
    /// Channels, height and width: the options', or the first picture's where those leave it open.
    pub shape: Option<[usize; 3]>,
}

impl Reader<'_> {
    /// Every picture of one part.
    fn part(&mut self, root: &Path) -> Result<Part, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for folder in folders(root)? {
            let class = self.names.iter().position(|n| *n == name(&folder));
            let class = class.ok_or_else(|| {
                DataError::missing(&folder, "a class that the training part has too")
            })?;
            for path in entries(&folder)? {
                if is_picture(&path) {
                    self.picture(&path, &mut pixels)?;
                    labels.push(class as i64);
                }
            }
        }
        let shape = self.shape.unwrap_or_default();
        Ok(Part {
            images: Images::in_planes(root, labels.len(), shape, Pixels::U8(pixels))?,
            labels: Labels::new(root, labels),
        })
    }

    /// Appends a picture's planes; its height and width as the file has them.
    pub fn picture(&mut self, path: &Path, to: &mut Vec<u8>) -> Result<[usize; 2], DataError> {
        let picture = decode(path, self.options.limit)?;
        let own = [picture.height() as usize, picture.width() as usize];
        let [c, h, w] = *self.shape.get_or_insert_with(|| {
            let channels = if picture.color().has_color() { 3 } else { 1 };
            let [h, w] = self.options.size.unwrap_or(own);
            [self.options.channels.unwrap_or(channels), h, w]
        });
        let resized = if self.options.size.is_some() {
            picture.resize_exact(w as u32, h as u32, FilterType::Triangle)
        } else {
            picture
        };
        let (found_h, found_w) = (resized.height() as usize, resized.width() as usize);
        if (found_h, found_w) != (h, w) {
            return Err(DataError::Shape {
                path: path.to_owned(),
                expected: format!("{h}x{w} as the first has; give a size to resize to"),
                found: format!("{found_h}x{found_w}"),
            });
        }
        let needed = to.len() as u128 + (c * h * w) as u128;
        if needed > self.options.limit as u128 {
            return Err(DataError::TooLarge {
                path: path.to_owned(),
                needed,
                limit: self.options.limit,
            });
        }
        match c {
            1 => to.extend(resized.to_luma8().into_raw()),
            3 => {
                let interleaved = resized.to_rgb8().into_raw();
                to.extend((0..3).flat_map(|c| interleaved.iter().skip(c).step_by(3).copied()));
            }
            _ => return Err(DataError::missing(path, "1 or 3 channels to be asked for")),
        }
        Ok(own)
    }
}

fn decode(path: &Path, limit: usize) -> Result<DynamicImage, DataError> {
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(DataError::io(path))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(limit as u64);
    reader.limits(limits);
    reader
        .decode()
        .map_err(|e| DataError::corrupt(path, e.to_string()))
}
