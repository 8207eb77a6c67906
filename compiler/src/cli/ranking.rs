//! The largest elements of an output, as a person reads them: `7  99.8 %`.

use super::failure::printable;
use serde_json::{Value, json};
use std::fmt;

/// One of the largest elements.
pub struct Rank {
    index: usize,
    label: Option<String>,
    value: f64,
    /// Whether the elements are a distribution: none negative, their sum 1.
    probability: bool,
}

/// The `count` largest elements, largest first; equal ones in their order. `labels` may name fewer elements than there are.
pub fn largest(values: &[f64], count: usize, labels: &[&str]) -> Vec<Rank> {
    let sum: f64 = values.iter().sum();
    let probability = (sum - 1.0).abs() < 1e-3 && values.iter().all(|v| *v >= 0.0);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    order.truncate(count);
    let rank = |index: usize| Rank {
        index,
        label: labels.get(index).map(|l| printable(l)),
        value: values[index],
        probability,
    };
    order.into_iter().map(rank).collect()
}

impl Rank {
    pub fn json(&self) -> Value {
        let mut object = json!({"index": self.index, "value": self.value});
        if let Some(label) = &self.label {
            object["label"] = json!(label);
        }
        object
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.label.clone().unwrap_or(self.index.to_string());
        if self.probability {
            write!(f, "{name:>8}  {:5.1} %", 100.0 * self.value)
        } else {
            write!(f, "{name:>8}  {:.6}", self.value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: &[f64], count: usize, labels: &[&str]) -> Vec<String> {
        let ranked = largest(values, count, labels);
        ranked.iter().map(Rank::to_string).collect()
    }

    #[test]
    fn a_distribution_is_shown_in_percent() {
        let shown = lines(&[0.002, 0.998, 0.0], 2, &["cat", "dog"]);
        assert_eq!(shown, ["     dog   99.8 %", "     cat    0.2 %"]);
    }

    #[test]
    fn anything_else_is_shown_as_it_is() {
        assert_eq!(
            lines(&[-1.0, 2.5, 2.5], 9, &[]),
            [
                "       1  2.500000",
                "       2  2.500000",
                "       0  -1.000000"
            ]
        );
    }
}
