//! Stochastic gradient descent with momentum (Polyak 1964) or Nesterov's momentum, as PyTorch has them:
//! `g += D p`, `v = M v + g`, `p -= r v`, Nesterov's `p -= r (g + M v)`.

use super::{Element, blend, rate};
use crate::spec::{Spec, SpecError};
use cnnc_ir::Ex;
use std::fmt;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    pub rate: f64,
    pub momentum: f64,
    pub nesterov: bool,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
}

impl Sgd {
    pub(super) fn read(spec: &mut Spec, momentum: f64, nesterov: bool) -> Result<Sgd, SpecError> {
        Ok(Sgd {
            rate: rate(spec, 0.01)?,
            momentum: spec.number("momentum", 0.0, 1.0)?.unwrap_or(momentum),
            nesterov: spec
                .number("nesterov", 0.0, 1.0)?
                .map_or(nesterov, |n| n != 0.0),
            weight_decay: spec.number("weight_decay", 0.0, 1e6)?.unwrap_or(0.0),
        })
    }

    fn gradient(&self, e: &Element) -> Ex {
        match self.weight_decay {
            0.0 => e.gradient.clone(),
            decay => &e.gradient + &(&e.parameter * decay),
        }
    }

    pub(super) fn next_slots(&self, e: &Element) -> Vec<Ex> {
        let velocities = e.slots.iter();
        let next = |v| blend(self.momentum, v, 1.0, &self.gradient(e));
        velocities.map(next).collect()
    }

    pub(super) fn next_parameter(&self, e: &Element, slots: &[Ex]) -> Ex {
        let way = match slots.first() {
            None => self.gradient(e),
            Some(velocity) if self.nesterov => {
                blend(1.0, &self.gradient(e), self.momentum, velocity)
            }
            Some(velocity) => velocity.clone(),
        };
        &e.parameter - &(&e.rate * &way)
    }
}

impl fmt::Display for Sgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nesterov = u8::from(self.nesterov);
        write!(f, "sgd:lr={},momentum={}", self.rate, self.momentum)?;
        write!(f, ",nesterov={nesterov},weight_decay={}", self.weight_decay)
    }
}
