//! The discrete Fourier transform as a matrix over pairs (sample, part): real and imaginary parts lie in the last axis.

use crate::schema::{Cx, TypeError};
use crate::tensor::Tensor;
use crate::types::DType;
use std::f64::consts::TAU;

/// Largest number of entries of a matrix.
const MAX_ENTRIES: usize = 1 << 26;

/// What is transformed into what. A part count of 1 means real values, 2 complex ones.
#[derive(Clone, Copy, Debug)]
pub struct Transform {
    /// Samples that are given; those from `length` on are ignored, missing ones are 0.
    pub samples: usize,
    pub parts: usize,
    pub length: usize,
    pub inverse: bool,
    /// The half of the spectrum that determines the rest of a real signal's: as result, or (inverse) as operand.
    pub onesided: bool,
}

impl Transform {
    /// Number of results, and of their parts.
    pub fn results(&self) -> (usize, usize) {
        match (self.inverse, self.onesided) {
            (true, true) => (self.length, 1),
            (false, true) => (self.length / 2 + 1, 2),
            (_, false) => (self.length, 2),
        }
    }

    /// Refuses what is no transform, or has a matrix too large to hold.
    pub fn check(&self, cx: &Cx) -> Result<(), TypeError> {
        if self.length == 0 {
            return Err(cx.error("the length of the transform is 0"));
        }
        if !matches!(self.parts, 1 | 2) {
            return Err(cx.error(format!(
                "the last dimension must be 1 (real) or 2 (complex), is {}",
                self.parts
            )));
        }
        if self.onesided && self.inverse == (self.parts == 1) {
            let kind = if self.inverse { "complex" } else { "real" };
            return Err(cx.attr_error("onesided", format!("wants {kind} values")));
        }
        let (results, parts) = self.results();
        let entries = [self.samples, self.parts, results, parts]
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d));
        match entries {
            Some(n) if n <= MAX_ENTRIES => Ok(()),
            _ => Err(cx.unsupported(format!("a transform of length {}", self.length))),
        }
    }

    /// The matrix `[samples * parts, results * parts]`.
    pub fn matrix(&self, dtype: DType) -> Tensor {
        let (results, parts) = self.results();
        let mut entries = Vec::with_capacity(self.samples * self.parts * results * parts);
        for sample in 0..self.samples {
            for part in 0..self.parts {
                for result in 0..results {
                    let (re, im) = self.entry(sample, part, result);
                    entries.extend([re, im].into_iter().take(parts));
                }
            }
        }
        Tensor::from_f64(
            dtype,
            &[self.samples * self.parts, results * parts],
            &entries,
        )
    }

    /// What a sample's real (part 0) or imaginary part contributes to the parts of a result.
    fn entry(&self, sample: usize, part: usize, result: usize) -> (f64, f64) {
        let used = if self.inverse && self.onesided {
            self.length / 2 + 1
        } else {
            self.length
        };
        if sample >= used {
            return (0.0, 0.0);
        }
        // The product's remainder keeps the angle small, and so exact.
        let turn = (sample as u128 * result as u128 % self.length as u128) as f64;
        let angle = TAU * turn / self.length as f64;
        let (sin, cos) = if self.inverse {
            angle.sin_cos()
        } else {
            (-angle).sin_cos()
        };
        let twice = self.onesided && self.inverse && sample > 0 && 2 * sample != self.length;
        let scale = match self.inverse {
            true => f64::from(1 + u8::from(twice)) / self.length as f64,
            false => 1.0,
        };
        // (cos + i sin) times 1, or times i.
        let (re, im) = if part == 0 { (cos, sin) } else { (-sin, cos) };
        (re * scale, im * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::Transform;
    use crate::types::DType;

    /// A forward transform followed by its inverse is the identity, whole or one-sided, of even and odd length.
    #[test]
    fn inverses_undo_transforms() {
        for (length, onesided) in [(4, false), (4, true), (5, false), (5, true)] {
            let forward = Transform {
                samples: length,
                parts: 1,
                length,
                inverse: false,
                onesided,
            };
            let (bins, parts) = forward.results();
            let inverse = Transform {
                samples: bins,
                parts,
                length,
                inverse: true,
                onesided,
            };
            let (a, b) = (forward.matrix(DType::F64), inverse.matrix(DType::F64));
            let (inner, columns) = (a.shape()[1], b.shape()[1]);
            let step = inverse.results().1;
            for i in 0..length {
                for j in 0..length {
                    let sum: f64 = (0..inner)
                        .map(|k| a.to_f64()[i * inner + k] * b.to_f64()[k * columns + j * step])
                        .sum();
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!(
                        (sum - expected).abs() < 1e-12,
                        "{length} {onesided} [{i},{j}] {sum}"
                    );
                }
            }
        }
    }
}
