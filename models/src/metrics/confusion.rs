//! The confusion matrix: how often each class was taken for each.

use super::{Scores, predicted};
use std::fmt;

/// Counts of samples by true and predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    pub fn new(classes: usize) -> Confusion {
        Confusion {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// A matrix with these counts, row by row; `None` where they are not classes times classes.
    pub fn from_counts(classes: usize, counts: &[u64]) -> Option<Confusion> {
        (counts.len() == classes * classes).then(|| Confusion {
            classes,
            counts: counts.to_vec(),
        })
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Row by row.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts a batch. Samples of classes that the matrix lacks do not count.
    pub fn update(&mut self, scores: &Scores) {
        for (row, label) in scores.rows() {
            let column = predicted(row);
            if label < self.classes && column < self.classes {
                self.counts[label * self.classes + column] += 1;
            }
        }
    }

    /// Samples of class `truth` that were taken for class `said`.
    pub fn count(&self, truth: usize, said: usize) -> u64 {
        self.counts[truth * self.classes + said]
    }

    /// All samples counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn hits(&self, class: usize) -> u64 {
        self.count(class, class)
    }

    /// Samples of a class.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|said| self.count(class, said)).sum()
    }

    fn said(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|truth| self.count(truth, class))
            .sum()
    }

    /// Share of what was taken for the class that is of the class.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.said(class))
    }

    /// Share of the class that was taken for it.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.support(class))
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.hits(class), self.said(class) + self.support(class))
    }

    /// Intersection over union, the Jaccard index; `None` where no sample is of the class and none was taken for it, as scikit-learn's
    /// `jaccard_score` leaves it out.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let union = self.said(class) + self.support(class) - self.hits(class);
        (union > 0).then(|| ratio(self.hits(class), union))
    }

    /// Share of all samples that were taken for what they are.
    pub fn accuracy(&self) -> f64 {
        ratio(
            (0..self.classes).map(|class| self.hits(class)).sum(),
            self.total(),
        )
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// A line for each true class, a column for each predicted one.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.counts.iter().max().map_or(0, |c| *c);
        let width = most.max(self.classes as u64).to_string().len();
        write!(f, "{:width$}", "")?;
        for said in 0..self.classes {
            write!(f, " {said:width$}")?;
        }
        for truth in 0..self.classes {
            write!(f, "\n{truth:width$}")?;
            for said in 0..self.classes {
                write!(f, " {:width$}", self.count(truth, said))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_counts() {
        let mut confusion = Confusion::new(2);
        // Three of class 0, one taken for 1; one of class 1, taken for 0.
        let scores = [0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.6, 0.4];
        confusion.update(&Scores::new(&scores, 2, &[0, 0, 0, 1]).unwrap());
        insta::assert_snapshot!(confusion, @r#"
          0 1
        0 2 1
        1 1 0
        "#);
        assert_eq!(confusion.precision(0), 2.0 / 3.0);
        assert_eq!(confusion.recall(0), 2.0 / 3.0);
        assert_eq!(confusion.f1(1), 0.0);
        assert_eq!(confusion.iou(0), Some(0.5));
        assert_eq!(confusion.iou(1), Some(0.0));
        assert_eq!(Confusion::new(2).iou(1), None);
        assert_eq!(confusion.accuracy(), 0.5);
        assert_eq!(confusion.support(0), 3);
    }
}
