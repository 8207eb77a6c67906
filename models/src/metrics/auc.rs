//! The area under the receiver operating characteristic: the chance that a sample of a class gets a higher score for it than a sample
//! of another, ties counting half (Hanley and McNeil 1982). Computed from ranks, as the Mann-Whitney U statistic.

use super::{Scores, by_score};

/// Scores to be ranked once all are there; keeps every score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Auc {
    columns: usize,
    scores: Vec<f32>,
    labels: Vec<u32>,
}

impl Auc {
    /// Keeps a batch; all batches have as many scores a sample as the first.
    pub fn update(&mut self, scores: &Scores) {
        self.columns = scores.columns;
        self.scores.extend_from_slice(scores.values);
        self.labels.extend_from_slice(scores.labels);
    }

    /// All that is kept, as numbers: scores a sample, samples, labels, bits of the scores.
    pub(super) fn kept(&self) -> Vec<u64> {
        let scores = self.scores.iter().map(|s| u64::from(s.to_bits()));
        [self.columns as u64, self.labels.len() as u64]
            .into_iter()
            .chain(self.labels.iter().map(|&l| u64::from(l)))
            .chain(scores)
            .collect()
    }

    /// The inverse of [`kept`](Self::kept).
    pub(super) fn from_kept(kept: &[u64]) -> Option<Auc> {
        let (&[columns, samples], rest) = kept.split_first_chunk()?;
        let (labels, scores) = rest.split_at_checked(usize::try_from(samples).ok()?)?;
        let small = |values: &[u64]| -> Option<Vec<u32>> {
            values.iter().map(|&v| u32::try_from(v).ok()).collect()
        };
        let columns = usize::try_from(columns).ok()?;
        let fits = labels.len().checked_mul(columns) == Some(scores.len());
        fits.then_some(Auc {
            columns,
            scores: small(scores)?.into_iter().map(f32::from_bits).collect(),
            labels: small(labels)?,
        })
    }

    /// Mean over the classes that some samples are of and some are not; for two classes that of class 1. NaN where there are no such classes.
    pub fn value(&self) -> f64 {
        let areas: Vec<f64> = match self.columns {
            0 => Vec::new(),
            1 | 2 => self.class(1).into_iter().collect(),
            n => (0..n).filter_map(|class| self.class(class)).collect(),
        };
        areas.iter().sum::<f64>() / areas.len() as f64
    }

    /// The area of one class against the rest; `None` where all samples are of it, or none.
    pub fn class(&self, class: usize) -> Option<f64> {
        let column = class.min(self.columns.checked_sub(1)?);
        let column = self.scores.iter().skip(column).step_by(self.columns);
        let is_member = self.labels.iter().map(|&label| label as usize == class);
        let mut samples: Vec<(f32, bool)> = column.copied().zip(is_member).collect();
        samples.sort_by(|a, b| by_score(a.0, b.0));
        let members = samples.iter().filter(|s| s.1).count();
        let others = samples.len() - members;
        if members == 0 || others == 0 {
            return None;
        }
        // Twice the number of pairs that are in order: twice, so that ties stay whole.
        let (mut pairs, mut below) = (0u128, 0u128);
        for tie in samples.chunk_by(|a, b| by_score(a.0, b.0).is_eq()) {
            let inside = tie.iter().filter(|s| s.1).count() as u128;
            let outside = tie.len() as u128 - inside;
            pairs += inside * (2 * below + outside);
            below += outside;
        }
        Some(pairs as f64 / (2 * members as u128 * others as u128) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn auc(columns: usize, scores: &[f32], labels: &[u32]) -> Auc {
        let mut auc = Auc::default();
        auc.update(&Scores::new(scores, columns, labels).unwrap());
        auc
    }

    #[test]
    fn areas_are_between_the_worst_and_the_best() {
        assert_eq!(auc(2, &[0.9, 0.1, 0.2, 0.8], &[0, 1]).value(), 1.0);
        assert_eq!(auc(2, &[0.9, 0.1, 0.2, 0.8], &[1, 0]).value(), 0.0);
        assert_eq!(auc(1, &[0.5, 0.5], &[1, 0]).value(), 0.5);
        assert!(auc(1, &[0.5, 0.5], &[1, 1]).value().is_nan());
        // Class 2 has no sample and is left out of the mean.
        let three = auc(3, &[0.7, 0.2, 0.1, 0.3, 0.6, 0.1], &[0, 1]);
        assert_eq!((three.value(), three.class(2)), (1.0, None));
    }

    proptest! {
        #[test]
        fn ranks_count_pairs(samples in prop::collection::vec((0u8..10, any::<bool>()), 0..40)) {
            let scores: Vec<f32> = samples.iter().map(|s| f32::from(s.0)).collect();
            let labels: Vec<u32> = samples.iter().map(|s| u32::from(s.1)).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for member in samples.iter().filter(|s| s.1) {
                for other in samples.iter().filter(|s| !s.1) {
                    pairs += 1.0;
                    won += match member.0.cmp(&other.0) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let found = auc(1, &scores, &labels).class(1);
            prop_assert_eq!(found, (pairs > 0.0).then(|| won / pairs));
        }
    }
}
