//! Which samples a training step sees, and in which order.
//!
//! The order of an epoch is a function of the seed and the epoch's number, not of what was drawn before. So a [`Position`] of two
//! numbers resumes exactly. Training takes full batches: the samples that remain at an epoch's end are left out, others each time.
//! Evaluation takes all samples: [`in_order`] fills the last batch up and says how many count.

use super::{Augmentation, Labelling, Samples};
use crate::random::Random;
use std::ops::Range;

/// How the samples of an epoch are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Every sample once.
    #[default]
    Shuffled,
    /// Every class as often as any other; samples of the rare ones come again, of the frequent ones not all.
    Balanced,
}

/// Where training stands; with the seed, all there is to remember of the order of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Epochs that are over.
    pub epoch: u64,
    /// Batches of the running epoch that are over.
    pub batch: u64,
}

/// Why no batches can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    #[error("a batch of {batch} needs as many samples, there are {samples}")]
    TooLarge { batch: usize, samples: usize },
    #[error("a batch must hold at least one sample")]
    Zero,
    #[error("position {batch} lies behind the epoch's {batches} batches")]
    Position { batch: u64, batches: usize },
}

/// The endless sequence of training batches.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Indices of the samples of each class.
    classes: Vec<Vec<usize>>,
    samples: usize,
    size: usize,
    seed: u64,
    sampling: Sampling,
    position: Position,
    /// The samples of the running epoch.
    order: Vec<usize>,
}

/// Samples of one training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    pub indices: &'a [usize],
    seed: u64,
    epoch: u64,
    /// Place of the first sample within the epoch.
    start: usize,
}

impl Batches {
    /// Batches of `size` over samples of these [groups](Samples::groups), the classes that [`Sampling::Balanced`] tells apart.
    pub fn new(
        groups: &[u32],
        size: usize,
        seed: u64,
        sampling: Sampling,
    ) -> Result<Batches, BatchError> {
        let samples = groups.len();
        if size == 0 {
            return Err(BatchError::Zero);
        }
        if samples < size {
            return Err(BatchError::TooLarge {
                batch: size,
                samples,
            });
        }
        let mut batches = Batches {
            classes: members(groups),
            samples,
            size,
            seed,
            sampling,
            position: Position::default(),
            order: Vec::new(),
        };
        batches.draw();
        Ok(batches)
    }

    /// Full batches in an epoch.
    pub fn per_epoch(&self) -> usize {
        self.samples / self.size
    }

    /// Of the batch that comes next.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes on from a position of a sequence with the same arguments.
    pub fn resume(&mut self, position: Position) -> Result<(), BatchError> {
        let (batch, batches) = (position.batch, self.per_epoch());
        if batch > batches as u64 {
            return Err(BatchError::Position { batch, batches });
        }
        self.position = position;
        self.draw();
        Ok(())
    }

    /// The next batch; after the last of an epoch comes the first of the next.
    pub fn advance(&mut self) -> Batch<'_> {
        if self.position.batch >= self.per_epoch() as u64 {
            self.position = Position {
                epoch: self.position.epoch + 1,
                batch: 0,
            };
            self.draw();
        }
        let start = self.position.batch as usize * self.size;
        self.position.batch += 1;
        Batch {
            indices: &self.order[start..start + self.size],
            seed: self.seed,
            epoch: self.position.epoch,
            start,
        }
    }

    /// The order of the running epoch.
    fn draw(&mut self) {
        let mut random = Random::of(&[self.seed, self.position.epoch]);
        self.order.clear();
        match self.sampling {
            Sampling::Shuffled => self.order.extend(0..self.samples),
            Sampling::Balanced => {
                let share = self.samples.div_ceil(self.classes.len().max(1));
                for class in &mut self.classes {
                    // Sorted first: the order may depend on the epoch, not on the epochs before.
                    class.sort_unstable();
                    random.shuffle(class);
                    self.order.extend(class.iter().cycle().take(share));
                }
            }
        }
        random.shuffle(&mut self.order);
        self.order.truncate(self.samples);
    }
}

impl Batch<'_> {
    /// Writes the images, augmented, one after the other in planes, and their labels, maps changed as their images. `images` and `labels` have
    /// room for those of a batch; panics where they have not.
    pub fn fill(
        &self,
        samples: &Samples,
        augmentation: &Augmentation,
        images: &mut [f32],
        labels: &mut [i64],
    ) {
        let labels_each = samples.labels_each();
        assert_eq!(labels.len(), self.indices.len() * labels_each);
        assert_eq!(images.len(), self.indices.len() * samples.image_len());
        let each = images
            .chunks_exact_mut(samples.image_len())
            .zip(labels.chunks_exact_mut(labels_each));
        for (place, (&index, (image, labels))) in self.indices.iter().zip(each).enumerate() {
            samples.read(index, image);
            // The place, not the sample: one that is drawn twice shall not look the same twice.
            let place = (self.start + place) as u64;
            let mut random = Random::of(&[self.seed, self.epoch, place]);
            for (to, &from) in labels.iter_mut().zip(samples.labels_of(index..index + 1)) {
                *to = i64::from(from);
            }
            let map = (samples.labelling() == Labelling::Pixels).then_some(labels);
            augmentation.apply_with(image, map, samples.shape(), &mut random);
        }
    }
}

/// All samples in order as ranges of at most `size` (1 where it is 0).
pub fn in_order(samples: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = size.max(1);
    (0..samples)
        .step_by(size)
        .map(move |start| start..samples.min(start + size))
}

/// A weight for every class, so that rare and frequent ones weigh alike in the loss: samples / (classes * samples of the class), as
/// scikit-learn's `balanced`; 0 for a class that has none. Labels from `classes` on do not count.
pub fn class_weights(labels: &[u32], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let total: usize = counts.iter().sum();
    let weight = |&count: &usize| match count {
        0 => 0.0,
        _ => (total as f64 / (classes as f64 * count as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}

/// Indices of the samples of each class that has any.
fn members(labels: &[u32]) -> Vec<Vec<usize>> {
    let mut classes = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for (index, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(index);
    }
    classes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Pixels;
    use proptest::prelude::*;

    fn batches(labels: &[u32], size: usize, sampling: Sampling) -> Batches {
        Batches::new(labels, size, 5, sampling).unwrap()
    }

    #[test]
    fn an_epoch_shows_every_sample_once_but_for_the_rest() {
        let mut batches = batches(&[0; 10], 3, Sampling::Shuffled);
        let mut epoch = || -> Vec<usize> {
            let mut seen: Vec<usize> = (0..3)
                .flat_map(|_| batches.advance().indices.to_vec())
                .collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        let (first, second) = (epoch(), epoch());
        assert_eq!((first.len(), second.len()), (9, 9));
        assert_ne!(first, second);
    }

    #[test]
    fn balanced_epochs_show_rare_classes_as_often() {
        let labels: Vec<u32> = (0..1000).map(|i| u32::from(i % 10 == 0)).collect();
        let mut batches = batches(&labels, 100, Sampling::Balanced);
        let rare: u32 = (0..10)
            .flat_map(|_| batches.advance().indices.to_vec())
            .map(|i| labels[i])
            .sum();
        assert_eq!(rare, 500);
    }

    #[test]
    fn a_batch_is_filled_with_what_it_names() {
        let pixels = Pixels::F32((0..12u8).map(f32::from).collect());
        let samples = Samples::new([1, 1, 3], pixels, vec![3, 2, 1, 0]).unwrap();
        let mut batches = batches(samples.labels(), 2, Sampling::Shuffled);
        let batch = batches.advance();
        let (mut images, mut labels) = ([0.0; 6], [0; 2]);
        batch.fill(&samples, &Augmentation::default(), &mut images, &mut labels);
        for place in 0..2 {
            let index = batch.indices[place];
            assert_eq!(images[place * 3], index as f32 * 3.0);
            assert_eq!(labels[place], 3 - index as i64);
        }
        let flip = "flip".parse().unwrap();
        let (mut once, mut again) = ([0.0; 6], [0.0; 6]);
        batch.fill(&samples, &flip, &mut once, &mut labels);
        batch.fill(&samples, &flip, &mut again, &mut labels);
        assert_eq!(once, again);
    }

    #[test]
    fn evaluation_takes_all() {
        let ranges: Vec<Range<usize>> = in_order(5, 2).collect();
        assert_eq!(ranges, [0..2, 2..4, 4..5]);
    }

    #[test]
    fn weights_make_classes_equal() {
        assert_eq!(class_weights(&[0, 0, 0, 1], 3), [4.0 / 9.0, 4.0 / 3.0, 0.0]);
    }

    #[test]
    fn impossible_batches_are_refused() {
        let fault = |size| Batches::new(&[0; 4], size, 0, Sampling::Shuffled).unwrap_err();
        assert_eq!(fault(0), BatchError::Zero);
        insta::assert_snapshot!(fault(5), @"a batch of 5 needs as many samples, there are 4");
        let mut batches = batches(&[0; 4], 2, Sampling::Shuffled);
        let beyond = Position { epoch: 0, batch: 3 };
        insta::assert_snapshot!(batches.resume(beyond).unwrap_err(), @"position 3 lies behind the epoch's 2 batches");
    }

    proptest! {
        /// Wherever a run is cut, it goes on as if it had not been.
        #[test]
        fn a_position_resumes_exactly(samples in 1usize..40, size in 1usize..8, cut in 0usize..60, balanced: bool) {
            prop_assume!(samples >= size);
            let sampling = if balanced { Sampling::Balanced } else { Sampling::Shuffled };
            let labels: Vec<u32> = (0..samples as u32).map(|i| i * i % 3).collect();
            let mut whole = batches(&labels, size, sampling);
            for _ in 0..cut {
                whole.advance();
            }
            let mut resumed = batches(&labels, size, sampling);
            resumed.resume(whole.position()).unwrap();
            for _ in 0..20 {
                prop_assert_eq!(whole.advance(), resumed.advance());
            }
        }
    }
}
