//! From values to pixels, and the round values in between.

/// A straight map of a range of values to a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    values: [f64; 2],
    pixels: [f32; 2],
}

impl Axis {
    /// An axis that shows all finite `values`, and some more where they are one, or none.
    pub fn around(values: impl Iterator<Item = f64>, pixels: [f32; 2]) -> Axis {
        let finite = values.filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        let values = if low > high {
            [0.0, 1.0]
        } else if low == high {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            [low - margin, high + margin]
        } else {
            [low, high]
        };
        Axis { values, pixels }
    }

    /// The same with `share` of its length more at either end.
    pub fn widened(self, share: f64) -> Axis {
        let [low, high] = self.values;
        let margin = (high - low) * share;
        Axis {
            values: [low - margin, high + margin],
            ..self
        }
    }

    pub fn pixel(&self, value: f64) -> f32 {
        let [low, high] = self.values;
        let share = (value - low) / (high - low);
        self.pixels[0] + (self.pixels[1] - self.pixels[0]) * share as f32
    }

    /// Multiples of 1, 2 or 5 times a power of ten, at most `most` of them, no closer than `least` to each other.
    pub fn ticks(&self, most: usize, least: f64) -> Vec<Tick> {
        let [low, high] = self.values;
        let rough = ((high - low) / most.max(1) as f64).max(least);
        let power = rough.log10().floor();
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * 10f64.powf(power))
            .into_iter()
            .find(|step| *step >= rough * 0.999_999)
            .unwrap_or(rough);
        // A range of huge numbers may be finer than their digits: then there is no step to take.
        if !(step.is_finite() && step > 0.0 && low + step > low) {
            return Vec::new();
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (low / step).ceil();
        let ticks = (0..=most * 2).map(|i| (first + i as f64) * step);
        ticks
            .take_while(|value| *value <= high)
            .map(|value| Tick {
                value,
                label: label(value, decimals),
            })
            .collect()
    }
}

/// A round value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

fn label(value: f64, decimals: usize) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    // No minus before a rounded zero.
    format!("{:.decimals$}", if size < 1e-12 { 0.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], least: f64) -> String {
        let axis = Axis::around(values.iter().copied(), [0.0, 100.0]);
        let labels: Vec<String> = axis.ticks(6, least).into_iter().map(|t| t.label).collect();
        labels.join(" ")
    }

    #[test]
    fn ticks_are_round() {
        insta::assert_snapshot!(labels(&[0.0, 1.0], 0.0), @"0.0 0.2 0.4 0.6 0.8 1.0");
        insta::assert_snapshot!(labels(&[0.971, 0.993], 0.0), @"0.975 0.980 0.985 0.990");
        insta::assert_snapshot!(labels(&[1.0, 10.0], 1.0), @"2 4 6 8 10");
        insta::assert_snapshot!(labels(&[1.0, 3.0], 1.0), @"1 2 3");
        insta::assert_snapshot!(labels(&[-3.0, 250.0, f64::NAN], 0.0), @"0 50 100 150 200 250");
        insta::assert_snapshot!(labels(&[1e-7, 9e-7], 0.0), @"2.0e-7 4.0e-7 6.0e-7 8.0e-7");
        insta::assert_snapshot!(labels(&[2.0], 0.0), @"1.8 1.9 2.0 2.1 2.2");
        insta::assert_snapshot!(labels(&[], 0.0), @"0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(&[f64::MAX, f64::MIN], 0.0), "");
    }

    #[test]
    fn values_lie_along_the_pixels() {
        let axis = Axis::around([1.0, 3.0].into_iter(), [100.0, 0.0]);
        assert_eq!([1.0, 2.0, 3.0].map(|v| axis.pixel(v)), [100.0, 50.0, 0.0]);
        assert_eq!(axis.widened(0.5).pixel(1.0), 75.0);
    }
}
