//! Images of one shape with a class each, held in memory as the files have them.

use super::error::DataError;
use crate::random::Random;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The brightness of images, one after the other, each in planes (channel, row, column).
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// 0 is black, 255 is white.
    U8(Vec<u8>),
    /// As the network sees them.
    F32(Vec<f32>),
}

impl Pixels {
    pub fn len(&self) -> usize {
        match self {
            Pixels::U8(p) => p.len(),
            Pixels::F32(p) => p.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements at these positions, in this order.
    fn pick(&self, positions: impl Iterator<Item = usize>) -> Pixels {
        match self {
            Pixels::U8(p) => Pixels::U8(positions.map(|i| p[i]).collect()),
            Pixels::F32(p) => Pixels::F32(positions.map(|i| p[i]).collect()),
        }
    }
}

/// Labelled images of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    shape: [usize; 3],
    pixels: Pixels,
    labels: Vec<u32>,
}

impl Samples {
    /// `pixels` holds images of `shape` (channels, height, width), one for each label. `None` where the counts do not agree.
    pub fn new(shape: [usize; 3], pixels: Pixels, labels: Vec<u32>) -> Option<Samples> {
        let elements = shape
            .iter()
            .try_fold(labels.len(), |n, &d| n.checked_mul(d))?;
        (elements == pixels.len()).then_some(Samples {
            shape,
            pixels,
            labels,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Channels, height and width of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The class of every image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Elements of one image.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Writes the image at `index` in planes; bytes become 0 to 1, floats are what they are. `out` has
    /// [`image_len`](Self::image_len) elements; panics where it has not, or where there is no such image.
    pub fn read(&self, index: usize, out: &mut [f32]) {
        let range = index * self.image_len()..(index + 1) * self.image_len();
        match &self.pixels {
            Pixels::U8(p) => {
                assert_eq!(out.len(), range.len());
                for (to, &from) in out.iter_mut().zip(&p[range]) {
                    *to = f32::from(from) / 255.0;
                }
            }
            Pixels::F32(p) => out.copy_from_slice(&p[range]),
        }
    }

    /// A hash of shape, pixels and labels: equal samples have equal ones.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = Xxh3::new();
        self.shape
            .iter()
            .for_each(|d| hasher.update(&(*d as u64).to_le_bytes()));
        match &self.pixels {
            Pixels::U8(p) => hasher.update(p),
            Pixels::F32(p) => p.iter().for_each(|v| hasher.update(&v.to_le_bytes())),
        }
        self.labels
            .iter()
            .for_each(|l| hasher.update(&l.to_le_bytes()));
        hasher.digest()
    }

    /// The samples at these indices, in this order.
    pub fn select(&self, indices: &[usize]) -> Samples {
        let n = self.image_len();
        let positions = indices.iter().flat_map(|&i| i * n..(i + 1) * n);
        Samples {
            shape: self.shape,
            pixels: self.pixels.pick(positions),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    /// Two parts; the second holds `fraction` of every class, rounded, drawn by `seed`. The order within a part stays.
    pub fn split(&self, fraction: f64, seed: u64) -> (Samples, Samples) {
        let mut classes = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for (index, &label) in self.labels.iter().enumerate() {
            classes.entry(label).or_default().push(index);
        }
        let mut is_second = vec![false; self.len()];
        for (label, mut members) in classes {
            Random::of(&[seed, label.into()]).shuffle(&mut members);
            let taken = (members.len() as f64 * fraction).round() as usize;
            for index in members.into_iter().take(taken) {
                is_second[index] = true;
            }
        }
        let (second, first): (Vec<usize>, Vec<usize>) =
            (0..self.len()).partition(|&index| is_second[index]);
        (self.select(&first), self.select(&second))
    }
}

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
    pub values: Vec<i64>,
}

impl Labels {
    pub fn new(path: &Path, values: Vec<i64>) -> Labels {
        Labels {
            path: path.to_owned(),
            values,
        }
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

    #[test]
    fn a_split_takes_its_share_of_every_class() {
        let labels: Vec<u32> = (0..100).map(|i| u32::from(i % 10 == 0)).collect();
        let samples = Samples::new([1, 1, 1], Pixels::U8((0..100).collect()), labels).unwrap();
        let (train, test) = samples.split(0.2, 1);
        assert_eq!((train.len(), test.len()), (80, 20));
        assert_eq!(test.labels().iter().sum::<u32>(), 2);
        assert_eq!(samples.split(0.2, 1), (train.clone(), test));
        assert_ne!(samples.split(0.2, 2).0, train);
    }
}
