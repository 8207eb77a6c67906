//! How good a classifier is: figures that grow batch by batch. Where every pixel has a class, a pixel is a sample.
//!
//! | name | figure |
//! |---|---|
//! | `accuracy` | share of samples whose class has the highest score |
//! | `topK`, such as `top5` | share of samples whose class is among the K highest scores |
//! | `precision` | TP / (TP + FP) of each class, mean over classes |
//! | `recall` | TP / (TP + FN) of each class, mean over classes |
//! | `f1` | 2 TP / (2 TP + FP + FN) of each class, mean over classes |
//! | `iou` | TP / (TP + FP + FN) of each class (Jaccard 1901), mean over the classes that are there or were said to be |
//! | `auc` | area under the receiver operating characteristic, of each class against the rest, mean over classes |
//!
//! Means over classes are unweighted ("macro"), as scikit-learn's, and 0/0 is 0. Of equal scores the first counts as the highest; a score
//! that is not a number is the lowest. A single score a sample is the probability of class 1 of two.

mod auc;
mod confusion;
mod mean;

pub use auc::Auc;
pub use confusion::Confusion;
pub use mean::Mean;

use crate::spec::{Spec, SpecError};
use std::cmp::Ordering;

/// Why scores were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    #[error("{scores} scores for {labels} samples, expected {columns} a sample")]
    Counts {
        scores: usize,
        labels: usize,
        columns: usize,
    },
    #[error("label {index} is {label}, expected 0 to {}", classes.saturating_sub(1))]
    Label {
        index: usize,
        label: u32,
        classes: usize,
    },
}

/// Makes rows of scores, one a pixel, of the planes that a network with a class for every pixel gives: `[N, columns, pixels]` to
/// `[N, pixels, columns]`. Nothing to do where there is a single column or pixel.
pub fn to_rows(scores: Vec<f32>, columns: usize, pixels: usize) -> Vec<f32> {
    if columns <= 1 || pixels <= 1 {
        return scores;
    }
    let mut rows = vec![0.0; scores.len()];
    let samples = scores.chunks_exact(columns * pixels);
    for (from, to) in samples.zip(rows.chunks_exact_mut(columns * pixels)) {
        for (column, plane) in from.chunks_exact(pixels).enumerate() {
            let places = to[column..].iter_mut().step_by(columns);
            places.zip(plane).for_each(|(to, from)| *to = *from);
        }
    }
    rows
}

/// What a network says of some samples, and what is true.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    values: &'a [f32],
    columns: usize,
    labels: &'a [u32],
}

impl<'a> Scores<'a> {
    /// `values` in rows of `columns`, a row for each label: probabilities, or whatever is higher for the likelier class.
    pub fn new(
        values: &'a [f32],
        columns: usize,
        labels: &'a [u32],
    ) -> Result<Scores<'a>, MetricError> {
        if labels.len().checked_mul(columns) != Some(values.len()) || columns == 0 {
            return Err(MetricError::Counts {
                scores: values.len(),
                labels: labels.len(),
                columns,
            });
        }
        let scores = Scores {
            values,
            columns,
            labels,
        };
        let classes = scores.classes();
        match labels.iter().position(|&l| l as usize >= classes) {
            Some(index) => Err(MetricError::Label {
                index,
                label: labels[index],
                classes,
            }),
            None => Ok(scores),
        }
    }

    /// Number of classes: as many as columns, two for one column.
    pub fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// Each sample's scores with its class.
    pub fn rows(&self) -> impl Iterator<Item = (&'a [f32], usize)> {
        let rows = self.values.chunks_exact(self.columns);
        rows.zip(self.labels.iter().map(|&l| l as usize))
    }
}

/// The class that a row of scores speaks for.
pub fn predicted(row: &[f32]) -> usize {
    match *row {
        [probability] => usize::from(probability >= 0.5),
        _ => (1..row.len()).fold(0, |best, at| {
            if by_score(row[at], row[best]).is_gt() {
                at
            } else {
                best
            }
        }),
    }
}

/// The order of scores: what is not a number is the lowest.
fn by_score(a: f32, b: f32) -> Ordering {
    let lowest = |s: f32| if s.is_nan() { f32::NEG_INFINITY } else { s };
    lowest(a).partial_cmp(&lowest(b)).unwrap_or(Ordering::Equal)
}

/// One figure.
trait Metric: std::fmt::Debug {
    fn update(&mut self, scores: &Scores);
    /// NaN where nothing was counted yet.
    fn value(&self) -> f64;
    fn reset(&mut self);
    /// What was counted so far, as numbers.
    fn counted(&self) -> Vec<u64>;
    /// Goes on from what another of its kind had [counted](Self::counted); false, and unchanged, where it makes no sense.
    fn resume(&mut self, counted: &[u64]) -> bool;
}

/// Samples whose class is among the `k` highest scores.
#[derive(Debug)]
struct TopK {
    k: usize,
    hits: u64,
    seen: u64,
}

impl TopK {
    fn new(k: usize) -> TopK {
        TopK {
            k,
            hits: 0,
            seen: 0,
        }
    }
}

impl Metric for TopK {
    fn update(&mut self, scores: &Scores) {
        for (row, label) in scores.rows() {
            let is_hit = match row {
                [_] => self.k > 1 || predicted(row) == label,
                _ => {
                    let beats = |&at: &usize| match by_score(row[at], row[label]) {
                        Ordering::Greater => true,
                        Ordering::Equal => at < label,
                        Ordering::Less => false,
                    };
                    (0..row.len()).filter(beats).count() < self.k
                }
            };
            self.hits += u64::from(is_hit);
            self.seen += 1;
        }
    }

    fn value(&self) -> f64 {
        self.hits as f64 / self.seen as f64
    }

    fn reset(&mut self) {
        *self = TopK::new(self.k);
    }

    fn counted(&self) -> Vec<u64> {
        vec![self.hits, self.seen]
    }

    fn resume(&mut self, counted: &[u64]) -> bool {
        let &[hits, seen] = counted else { return false };
        *self = TopK {
            k: self.k,
            hits,
            seen,
        };
        hits <= seen
    }
}

/// A mean over the classes of a confusion matrix.
#[derive(Debug)]
struct OfConfusion {
    confusion: Confusion,
    /// Of a class; `None` where it does not count.
    figure: fn(&Confusion, usize) -> Option<f64>,
}

impl Metric for OfConfusion {
    fn update(&mut self, scores: &Scores) {
        self.confusion.update(scores);
    }

    fn value(&self) -> f64 {
        if self.confusion.total() == 0 {
            return f64::NAN;
        }
        let classes = 0..self.confusion.classes();
        let figures = classes.filter_map(|c| (self.figure)(&self.confusion, c));
        let (sum, count) = figures.fold((0.0, 0u32), |(sum, n), figure| (sum + figure, n + 1));
        sum / f64::from(count)
    }

    fn reset(&mut self) {
        self.confusion = Confusion::new(self.confusion.classes());
    }

    fn counted(&self) -> Vec<u64> {
        self.confusion.counts().to_vec()
    }

    fn resume(&mut self, counted: &[u64]) -> bool {
        let known = Confusion::from_counts(self.confusion.classes(), counted);
        known.map(|known| self.confusion = known).is_some()
    }
}

impl Metric for Auc {
    fn update(&mut self, scores: &Scores) {
        Auc::update(self, scores);
    }

    fn value(&self) -> f64 {
        Auc::value(self)
    }

    fn reset(&mut self) {
        *self = Auc::default();
    }

    fn counted(&self) -> Vec<u64> {
        self.kept()
    }

    fn resume(&mut self, counted: &[u64]) -> bool {
        let known = Auc::from_kept(counted);
        known.map(|known| *self = known).is_some()
    }
}

/// The figures that were asked for, by name.
#[derive(Debug)]
pub struct Metrics {
    columns: usize,
    figures: Vec<(String, Box<dyn Metric>)>,
}

impl Metrics {
    /// `text` names figures with commas between; a network gives `columns` scores a sample.
    pub fn parse(text: &str, columns: usize) -> Result<Metrics, SpecError> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let figures = names.map(|name| Ok((name.to_string(), figure(name, columns)?)));
        Ok(Metrics {
            columns,
            figures: figures.collect::<Result<_, SpecError>>()?,
        })
    }

    /// Counts a batch: `scores` in rows, a row for each label.
    pub fn update(&mut self, scores: &[f32], labels: &[u32]) -> Result<(), MetricError> {
        let scores = Scores::new(scores, self.columns, labels)?;
        for (_, figure) in &mut self.figures {
            figure.update(&scores);
        }
        Ok(())
    }

    /// Every figure with its name, in the order they were asked for.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures
            .iter()
            .map(|(name, figure)| (name.as_str(), figure.value()))
    }

    /// What every figure has counted so far, as numbers: with [`resume`](Self::resume) another run of the program goes on from there.
    pub fn counted(&self) -> impl Iterator<Item = (&str, Vec<u64>)> {
        let figures = self.figures.iter();
        figures.map(|(name, figure)| (name.as_str(), figure.counted()))
    }

    /// Goes on from what the figure of that name had counted; whether there is such a figure, and the numbers make sense to it.
    pub fn resume(&mut self, name: &str, counted: &[u64]) -> bool {
        let mut figures = self.figures.iter_mut();
        let figure = figures.find(|(n, _)| n == name);
        figure.is_some_and(|(_, figure)| figure.resume(counted))
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        for (_, figure) in &mut self.figures {
            figure.reset();
        }
    }
}

fn figure(name: &str, columns: usize) -> Result<Box<dyn Metric>, SpecError> {
    let of_confusion = |figure| {
        let confusion = Confusion::new(columns.max(2));
        Box::new(OfConfusion { confusion, figure })
    };
    let k = name.strip_prefix("top").and_then(|k| k.parse().ok());
    Ok(match (name, k) {
        ("accuracy", _) => Box::new(TopK::new(1)),
        ("precision", _) => of_confusion(|c, class| Some(c.precision(class))),
        ("recall", _) => of_confusion(|c, class| Some(c.recall(class))),
        ("f1", _) => of_confusion(|c, class| Some(c.f1(class))),
        ("iou", _) => of_confusion(Confusion::iou),
        ("auc", _) => Box::new(Auc::default()),
        (_, Some(k @ 1..)) => Box::new(TopK::new(k)),
        _ => {
            let known = [
                "accuracy",
                "top5",
                "precision",
                "recall",
                "f1",
                "iou",
                "auc",
            ];
            return Err(Spec::parse("metric", name).unknown(&known));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(names: &str, columns: usize, scores: &[f32], labels: &[u32]) -> Vec<f64> {
        let mut metrics = Metrics::parse(names, columns).unwrap();
        metrics.update(scores, labels).unwrap();
        metrics.values().map(|(_, v)| v).collect()
    }

    /// The examples of scikit-learn's documentation.
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let scores = [0.5, 0.2, 0.2, 0.3, 0.4, 0.2, 0.2, 0.4, 0.3, 0.7, 0.2, 0.1];
        assert_eq!(values("top2", 3, &scores, &[0, 1, 2, 2]), [0.75]);
        let one_hot = |at: usize| (0..3).map(move |c| f32::from(u8::from(c == at)));
        let predictions: Vec<f32> = [0, 2, 1, 0, 0, 1].into_iter().flat_map(one_hot).collect();
        let found = values(
            "accuracy,precision,recall,f1,iou",
            3,
            &predictions,
            &[0, 1, 2, 0, 1, 2],
        );
        let expected = [1.0 / 3.0, 2.0 / 9.0, 1.0 / 3.0, 0.8 / 3.0, 2.0 / 9.0];
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(f, e)| (f - e).abs() < 1e-12),
            "{found:?}"
        );
        assert_eq!(
            values("auc", 1, &[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]),
            [0.75]
        );
        // jaccard_score([0, 1, 1, 0], [1, 1, 1, 0], average="macro"): class 2 is nowhere and does not count.
        let said: Vec<f32> = [1, 1, 1, 0].into_iter().flat_map(one_hot).collect();
        let found = values("iou", 3, &said, &[0, 1, 1, 0]);
        assert!((found[0] - 7.0 / 12.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn planes_become_rows() {
        let planes = vec![
            1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 4.0, 5.0, 6.0, 40.0, 50.0, 60.0,
        ];
        let rows = [
            1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0, 5.0, 50.0, 6.0, 60.0,
        ];
        assert_eq!(to_rows(planes.clone(), 2, 3), rows);
        assert_eq!(to_rows(planes.clone(), 12, 1), planes);
        assert_eq!(to_rows(planes.clone(), 1, 12), planes);
    }

    #[test]
    fn scores_that_are_no_numbers_never_win() {
        assert_eq!(
            values("accuracy,top2", 2, &[f32::NAN, -1.0], &[0]),
            [0.0, 1.0]
        );
        assert_eq!(values("accuracy", 1, &[f32::NAN], &[1]), [0.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut metrics = Metrics::parse("accuracy", 3).unwrap();
        insta::assert_snapshot!(metrics.update(&[0.0; 5], &[0, 1]).unwrap_err(), @"5 scores for 2 samples, expected 3 a sample");
        insta::assert_snapshot!(metrics.update(&[0.0; 6], &[0, 3]).unwrap_err(), @"label 1 is 3, expected 0 to 2");
        insta::assert_snapshot!(Metrics::parse("acuracy", 3).unwrap_err(), @"unknown metric 'acuracy'; did you mean 'accuracy'? (known: accuracy, top5, precision, recall, f1, iou, auc)");
        insta::assert_snapshot!(Metrics::parse("top0", 3).unwrap_err(), @"unknown metric 'top0'; did you mean 'top5'? (known: accuracy, top5, precision, recall, f1, iou, auc)");
    }

    fn samples() -> impl Strategy<Value = (usize, Vec<f32>, Vec<u32>)> {
        (2usize..5, 1usize..20).prop_flat_map(|(classes, n)| {
            let score = (0u8..8).prop_map(|v| f32::from(v) / 8.0);
            let scores = prop::collection::vec(score, n * classes);
            let labels = prop::collection::vec(0..classes as u32, n);
            (Just(classes), scores, labels)
        })
    }

    proptest! {
        #[test]
        fn batches_do_not_matter((classes, scores, labels) in samples()) {
            let names = "accuracy,top2,precision,recall,f1,iou,auc";
            let mut one_by_one = Metrics::parse(names, classes).unwrap();
            for (row, label) in scores.chunks(classes).zip(&labels) {
                one_by_one.update(row, &[*label]).unwrap();
            }
            let bits = |v: f64| v.to_bits();
            let found: Vec<u64> = one_by_one.values().map(|(_, v)| bits(v)).collect();
            let at_once: Vec<u64> = values(names, classes, &scores, &labels).into_iter().map(bits).collect();
            prop_assert_eq!(&found, &at_once);
            let mut resumed = Metrics::parse(names, classes).unwrap();
            for (name, counted) in one_by_one.counted() {
                prop_assert!(resumed.resume(name, &counted));
            }
            let resumed: Vec<u64> = resumed.values().map(|(_, v)| bits(v)).collect();
            prop_assert_eq!(&found, &resumed);
            one_by_one.reset();
            one_by_one.update(&scores, &labels).unwrap();
            let after_reset: Vec<u64> = one_by_one.values().map(|(_, v)| bits(v)).collect();
            prop_assert_eq!(&found, &after_reset);
        }

        #[test]
        fn more_chances_hit_more((classes, scores, labels) in samples()) {
            let found = values("accuracy,top1,top2,top9", classes, &scores, &labels);
            prop_assert_eq!(found[0], found[1]);
            prop_assert!(found[1] <= found[2] && found[3] == 1.0);
        }
    }
}
