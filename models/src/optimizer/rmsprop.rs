//! RMSProp (Tieleman and Hinton 2012): `s = A s + (1 - A) g²`, `p -= r g / sqrt(s + E)`, as Keras has it.

use super::{Element, blend, rate};
use crate::spec::{Spec, SpecError};
use cnnc_ir::Ex;
use std::fmt;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    pub rate: f64,
    /// Share of the old mean square that stays.
    pub rho: f64,
    pub epsilon: f64,
}

impl RmsProp {
    pub(super) fn read(spec: &mut Spec) -> Result<RmsProp, SpecError> {
        Ok(RmsProp {
            rate: rate(spec, 1e-3)?,
            rho: spec.number("rho", 0.0, 1.0)?.unwrap_or(0.9),
            epsilon: spec.number("eps", 0.0, 1.0)?.unwrap_or(1e-7),
        })
    }

    pub(super) fn next_slots(&self, e: &Element) -> Vec<Ex> {
        let g = &e.gradient;
        vec![blend(self.rho, &e.slots[0], 1.0 - self.rho, &(g * g))]
    }

    pub(super) fn next_parameter(&self, e: &Element, slots: &[Ex]) -> Ex {
        let root = (&slots[0] + self.epsilon).sqrt();
        &e.parameter - &(&(&e.rate * &e.gradient) / &root)
    }
}

impl fmt::Display for RmsProp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, rho, epsilon) = (self.rate, self.rho, self.epsilon);
        write!(f, "rmsprop:lr={rate},rho={rho},eps={epsilon:e}")
    }
}
