//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019):
//!
//! ```text
//! m = B m + (1 - B) g,   s = C s + (1 - C) g²
//! p -= r sqrt(1 - C^t) / (1 - B^t) * m / (sqrt(s) + E)  +  r D p
//! ```
//!
//! Epsilon stands where the paper's remark after its algorithm and Keras have it, beside the uncorrected root.

use super::{Element, blend, literal, rate};
use crate::spec::{Spec, SpecError};
use cnnc_ir::Ex;
use std::fmt;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// Decoupled; 0 is plain Adam.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam {
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            weight_decay: 0.0,
        }
    }
}

impl Adam {
    pub(super) fn read(spec: &mut Spec, weight_decay: f64) -> Result<Adam, SpecError> {
        let preset = Adam::default();
        Ok(Adam {
            rate: rate(spec, preset.rate)?,
            beta1: spec.number("beta1", 0.0, 1.0)?.unwrap_or(preset.beta1),
            beta2: spec.number("beta2", 0.0, 1.0)?.unwrap_or(preset.beta2),
            epsilon: spec.number("eps", 0.0, 1.0)?.unwrap_or(preset.epsilon),
            weight_decay: spec
                .number("weight_decay", 0.0, 1e6)?
                .unwrap_or(weight_decay),
        })
    }

    /// `r sqrt(1 - C^t) / (1 - B^t)`.
    pub(super) fn corrected_rate(&self, rate: &Ex, step: &Ex) -> Ex {
        let left = |beta: f64| literal(1.0) - literal(beta).pow(step);
        rate * &left(self.beta2).sqrt() / left(self.beta1)
    }

    pub(super) fn next_slots(&self, e: &Element) -> Vec<Ex> {
        let g = &e.gradient;
        let mean = blend(self.beta1, &e.slots[0], 1.0 - self.beta1, g);
        let squares = blend(self.beta2, &e.slots[1], 1.0 - self.beta2, &(g * g));
        vec![mean, squares]
    }

    pub(super) fn next_parameter(&self, e: &Element, slots: &[Ex]) -> Ex {
        let (mean, squares) = (&slots[0], &slots[1]);
        let way = &e.scalar * mean / (squares.sqrt() + self.epsilon);
        match self.weight_decay {
            0.0 => &e.parameter - &way,
            decay => &e.parameter - &(way + &e.rate * &(&e.parameter * decay)),
        }
    }
}

impl fmt::Display for Adam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, beta1, beta2) = (self.rate, self.beta1, self.beta2);
        write!(f, "adam:lr={rate},beta1={beta1},beta2={beta2}")?;
        write!(
            f,
            ",eps={:e},weight_decay={}",
            self.epsilon, self.weight_decay
        )
    }
}
