//! Images of one shape with a class each, or a class for each pixel, held in memory as the files have them.

use crate::random::Random;
use std::borrow::Cow;
use std::ops::Range;
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
    pub(super) fn pick(&self, positions: impl Iterator<Item = usize>) -> Pixels {
        match self {
            Pixels::U8(p) => Pixels::U8(positions.map(|i| p[i]).collect()),
            Pixels::F32(p) => Pixels::F32(positions.map(|i| p[i]).collect()),
        }
    }
}

/// What an image is labelled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelling {
    /// A class.
    Image,
    /// A map of its height and width: the class of every pixel, row by row.
    Pixels,
}

/// Labelled images of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    shape: [usize; 3],
    pixels: Pixels,
    labelling: Labelling,
    labels: Vec<u32>,
}

impl Samples {
    /// `pixels` holds images of `shape` (channels, height, width), one for each label. `None` where the counts do not agree.
    pub fn new(shape: [usize; 3], pixels: Pixels, labels: Vec<u32>) -> Option<Samples> {
        Samples::labelled(shape, pixels, Labelling::Image, labels)
    }

    /// `pixels` holds images of `shape` (channels, height, width), `labels` a class or a map of classes for each. `None` where the counts do
    /// not agree.
    pub fn labelled(
        shape: [usize; 3],
        pixels: Pixels,
        labelling: Labelling,
        labels: Vec<u32>,
    ) -> Option<Samples> {
        let [channels, height, width] = shape;
        let plane = height.checked_mul(width)?;
        let elements = match labelling {
            Labelling::Image => labels.len().checked_mul(plane)?,
            Labelling::Pixels if plane > 0 && labels.len().is_multiple_of(plane) => labels.len(),
            Labelling::Pixels => return None,
        };
        (elements.checked_mul(channels)? == pixels.len()).then_some(Samples {
            shape,
            pixels,
            labelling,
            labels,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len() / self.labels_each()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Channels, height and width of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub fn labelling(&self) -> Labelling {
        self.labelling
    }

    /// Labels of one image: 1, or its pixels.
    pub fn labels_each(&self) -> usize {
        match self.labelling {
            Labelling::Image => 1,
            Labelling::Pixels => self.shape[1] * self.shape[2],
        }
    }

    /// The labels of all images, one after the other.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The labels of the images of a range; panics where there are no such.
    pub fn labels_of(&self, images: Range<usize>) -> &[u32] {
        let each = self.labels_each();
        &self.labels[images.start * each..images.end * each]
    }

    /// Of every image the group whose members are dealt out evenly: its class. Images with maps of classes are all of one group.
    pub fn groups(&self) -> Cow<'_, [u32]> {
        match self.labelling {
            Labelling::Image => Cow::Borrowed(&self.labels),
            Labelling::Pixels => Cow::Owned(vec![0; self.len()]),
        }
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
        if self.labelling == Labelling::Pixels {
            hasher.update(b"maps");
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
        let labels = indices.iter().flat_map(|&i| self.labels_of(i..i + 1));
        Samples {
            shape: self.shape,
            pixels: self.pixels.pick(positions),
            labelling: self.labelling,
            labels: labels.copied().collect(),
        }
    }

    /// Two parts; the second holds `fraction` of every [group](Self::groups), rounded, drawn by `seed`. The order within a part stays.
    pub fn split(&self, fraction: f64, seed: u64) -> (Samples, Samples) {
        let mut groups = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for (index, &group) in self.groups().iter().enumerate() {
            groups.entry(group).or_default().push(index);
        }
        let mut is_second = vec![false; self.len()];
        for (group, mut members) in groups {
            Random::of(&[seed, group.into()]).shuffle(&mut members);
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn maps_stay_with_their_images() {
        let labels: Vec<u32> = (0..40).collect();
        let pixels = Pixels::U8((0..40).collect());
        let pixels_of =
            |labelling| Samples::labelled([1, 2, 2], pixels.clone(), labelling, labels.clone());
        assert_eq!(pixels_of(Labelling::Image), None);
        let samples = pixels_of(Labelling::Pixels).unwrap();
        assert_eq!((samples.len(), samples.labels_each()), (10, 4));
        assert_eq!(samples.groups(), [0; 10].as_slice());
        let picked = samples.select(&[7, 1]);
        assert_eq!(picked.labels(), [28, 29, 30, 31, 4, 5, 6, 7]);
        let (train, test) = samples.split(0.3, 5);
        assert_eq!((train.len(), test.len()), (7, 3));
        for part in [train, test, picked] {
            let mut image = [0.0; 4];
            for index in 0..part.len() {
                part.read(index, &mut image);
                let shown = image.map(|v| (v * 255.0).round() as u32);
                assert_eq!(part.labels_of(index..index + 1), shown);
            }
        }
        let few = |labelling, labels: Vec<u32>| {
            Samples::labelled([4, 1, 1], pixels.clone(), labelling, labels)
        };
        let marks = [Labelling::Image, Labelling::Pixels]
            .map(|labelling| few(labelling, vec![0; 10]).unwrap().fingerprint());
        assert_ne!(marks[0], marks[1]);
    }
}
