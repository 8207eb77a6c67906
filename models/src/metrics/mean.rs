//! The mean of numbers that come in batches, such as losses.

/// A weighted mean; sums are compensated (Neumaier 1974), so that a long epoch loses no digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    lost: f64,
    count: u64,
}

impl Mean {
    /// Counts the mean of `count` numbers, as the loss of a batch.
    pub fn update(&mut self, mean: f64, count: usize) {
        let value = mean * count as f64;
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
        self.count += count as u64;
    }

    /// All there is to remember, as numbers.
    pub fn counted(&self) -> [u64; 3] {
        [self.sum.to_bits(), self.lost.to_bits(), self.count]
    }

    /// The mean that had [counted](Self::counted) these.
    pub fn resumed([sum, lost, count]: [u64; 3]) -> Mean {
        Mean {
            sum: f64::from_bits(sum),
            lost: f64::from_bits(lost),
            count,
        }
    }

    /// NaN where nothing was counted.
    pub fn value(&self) -> f64 {
        (self.sum + self.lost) / self.count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_weigh_by_their_size() {
        let mut mean = Mean::default();
        assert!(mean.value().is_nan());
        mean.update(1.0, 3);
        mean.update(5.0, 1);
        assert_eq!(mean.value(), 2.0);
        assert_eq!(Mean::resumed(mean.counted()), mean);
    }

    #[test]
    fn small_numbers_count_beside_large_ones() {
        let mut mean = Mean::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            mean.update(value, 1);
        }
        assert_eq!(mean.value(), 0.5);
    }
}
