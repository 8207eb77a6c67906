//! AdaGrad (Duchi, Hazan and Singer 2011): `s += g²`, `p -= r g / (sqrt(s) + E)`.

use super::{Element, rate};
use crate::spec::{Spec, SpecError};
use cnnc_ir::Ex;
use std::fmt;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaGrad {
    pub rate: f64,
    pub epsilon: f64,
}

impl AdaGrad {
    pub(super) fn read(spec: &mut Spec) -> Result<AdaGrad, SpecError> {
        Ok(AdaGrad {
            rate: rate(spec, 0.01)?,
            epsilon: spec.number("eps", 0.0, 1.0)?.unwrap_or(1e-7),
        })
    }

    pub(super) fn next_slots(&self, e: &Element) -> Vec<Ex> {
        let g = &e.gradient;
        vec![&e.slots[0] + &(g * g)]
    }

    pub(super) fn next_parameter(&self, e: &Element, slots: &[Ex]) -> Ex {
        let root = slots[0].sqrt() + self.epsilon;
        &e.parameter - &(&(&e.rate * &e.gradient) / &root)
    }
}

impl fmt::Display for AdaGrad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "adagrad:lr={},eps={:e}", self.rate, self.epsilon)
    }
}
