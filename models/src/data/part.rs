//! What readers find: images and labels on their way from files, and the samples that they make together.

use super::error::DataError;
use super::samples::{Labelling, Pixels, Samples};
use std::path::{Path, PathBuf};

/// Images on their way from a file, their shape understood, their labels still to come.
#[derive(Debug)]
pub(super) struct Images {
    pub path: PathBuf,
    pub count: usize,
    pub shape: [usize; 3],
    pub pixels: Pixels,
}

impl Images {
    /// `extents`: images, then `[features]`, `[height, width]`, `[channels, height, width]` or `[height, width, channels]`, whose
    /// channels are told from a width by there being no more than four. Fewer pixels than the extents say is a bug of the caller.
    pub fn new(path: &Path, extents: &[usize], pixels: Pixels) -> Result<Images, DataError> {
        let (count, shape, channels_last) = match *extents {
            [n, features] => (n, [features, 1, 1], false),
            [n, h, w] => (n, [1, h, w], false),
            [n, h, w, c @ 1..=4] if h > 4 => (n, [c, h, w], true),
            [n, c, h, w] => (n, [c, h, w], false),
            _ => {
                return Err(DataError::Shape {
                    path: path.to_owned(),
                    expected: "[images, height, width], with channels or without".to_string(),
                    found: format!("{extents:?}"),
                });
            }
        };
        let pixels = if channels_last && shape[0] > 1 {
            to_planes(&pixels, shape)
        } else {
            pixels
        };
        Images::in_planes(path, count, shape, pixels)
    }

    /// `count` images of `shape`, already in planes.
    pub fn in_planes(
        path: &Path,
        count: usize,
        shape: [usize; 3],
        pixels: Pixels,
    ) -> Result<Images, DataError> {
        if count == 0 || shape.contains(&0) {
            return Err(DataError::Empty {
                path: path.to_owned(),
                what: "holds no images",
            });
        }
        if let Pixels::F32(values) = &pixels
            && let Some(at) = values.iter().position(|v| !v.is_finite())
        {
            return Err(DataError::Value {
                path: path.to_owned(),
                index: at / shape.iter().product::<usize>(),
                value: values[at],
            });
        }
        Ok(Images {
            path: path.to_owned(),
            count,
            shape,
            pixels,
        })
    }
}

/// (row, column, channel) to (channel, row, column) in every image.
fn to_planes(pixels: &Pixels, [c, h, w]: [usize; 3]) -> Pixels {
    let plane = h * w;
    let positions = (0..pixels.len()).map(|at| {
        let (image, within) = (at / (c * plane), at % (c * plane));
        image * c * plane + within % plane * c + within / plane
    });
    pixels.pick(positions)
}

/// Labels on their way from a file, not yet held against the number of classes.
#[derive(Debug)]
pub(super) struct Labels {
    pub path: PathBuf,
    /// Height and width of the maps that the values are; `None`: each is an image's class.
    pub map: Option<[usize; 2]>,
    /// A file for each map, where each has one of its own.
    pub files: Vec<PathBuf>,
    pub values: Vec<i64>,
}

impl Labels {
    /// A class an image.
    pub fn new(path: &Path, values: Vec<i64>) -> Labels {
        Labels {
            path: path.to_owned(),
            map: None,
            files: Vec::new(),
            values,
        }
    }

    /// What stands at `index` and is no class.
    fn fault(self, index: usize, classes: usize) -> DataError {
        let label = self.values[index];
        let Some([height, width]) = self.map else {
            return DataError::Label {
                path: self.path,
                index,
                label,
                classes,
            };
        };
        let (map, at) = (index / (height * width), index % (height * width));
        let place = format!("row {}, column {}", at / width, at % width);
        let (path, place) = match self.files.into_iter().nth(map) {
            Some(file) => (file, place),
            None => (self.path, format!("map {map}, {place}")),
        };
        DataError::Pixel {
            path,
            place,
            label,
            classes,
        }
    }
}

/// A part as its files have it.
pub(super) struct Part {
    pub images: Images,
    pub labels: Labels,
}

/// Most classes where nothing says how many there are: a label beyond is damage.
const MAX_CLASSES: usize = 1 << 16;
/// White: the second of two classes, where a map has nothing else but 0.
const WHITE: i64 = 255;

impl Part {
    /// Holds images and labels against each other, and labels against the number of classes, where that is known.
    pub fn finish(self, classes: Option<usize>) -> Result<Samples, DataError> {
        let Part { images, mut labels } = self;
        let [_, height, width] = images.shape;
        let (each, labelling) = match labels.map {
            None => (1, Labelling::Image),
            Some(map) if map == [height, width] => (height * width, Labelling::Pixels),
            Some([h, w]) => {
                return Err(DataError::corrupt(
                    &labels.path,
                    format!("maps of {h}x{w}, expected {height}x{width} as the images are"),
                ));
            }
        };
        if Some(labels.values.len()) != images.count.checked_mul(each) {
            return Err(DataError::Counts {
                images_path: images.path,
                images: images.count,
                labels_path: labels.path,
                labels: labels.values.len() / each,
            });
        }
        if labels.map.is_some() && classes.is_none_or(|n| n == 2) {
            make_binary(&mut labels.values);
        }
        let classes = classes.unwrap_or(MAX_CLASSES);
        let known = |&label: &i64| {
            u32::try_from(label)
                .ok()
                .filter(|&l| (l as usize) < classes)
        };
        let found: Option<Vec<u32>> = labels.values.iter().map(known).collect();
        let Some(found) = found else {
            let index = labels.values.iter().position(|l| known(l).is_none());
            return Err(labels.fault(index.unwrap_or(0), classes));
        };
        let expected = format!("{} images", images.count);
        Samples::labelled(images.shape, images.pixels, labelling, found).ok_or_else(|| {
            DataError::corrupt(
                &images.path,
                format!("holds fewer pixels than {expected} have"),
            )
        })
    }
}

/// Makes 1 of white where there is only black and white.
fn make_binary(values: &mut [i64]) {
    if values.iter().all(|v| [0, WHITE].contains(v)) {
        values.iter_mut().for_each(|v| *v = i64::from(*v == WHITE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_found_first_or_last() {
        let bytes = |n: u8| Pixels::U8((0..n).collect());
        let path = Path::new("x.npy");
        let last = Images::new(path, &[1, 5, 2, 3], bytes(30)).unwrap();
        assert_eq!(last.shape, [3, 5, 2]);
        let Pixels::U8(planes) = last.pixels else {
            panic!("bytes stay bytes")
        };
        assert_eq!(planes[..10], [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
        assert_eq!(planes[10], 1);
        let first = Images::new(path, &[1, 3, 5, 2], bytes(30)).unwrap();
        assert_eq!(first.pixels, bytes(30));
        assert_eq!(
            Images::new(path, &[2, 7], bytes(14)).unwrap().shape,
            [7, 1, 1]
        );
    }

    #[test]
    fn a_value_that_is_no_number_is_named() {
        let pixels = Pixels::F32(vec![0.0, 1.0, 2.0, f32::NAN]);
        let error = Images::new(Path::new("x.npy"), &[2, 1, 2], pixels).unwrap_err();
        insta::assert_snapshot!(error, @"x.npy: image 1 holds NaN, expected finite values");
    }
}
