//! Optimisers: how a parameter follows its gradient, as scalar expressions.
//!
//! | text | update, `g` the gradient, `r` the rate, `t` the step from 1 |
//! |---|---|
//! | `sgd:lr=R,momentum=M,weight_decay=D` | `v = M v + g`, `p -= r v` (PyTorch); `nesterov=1` takes `g + M v` |
//! | `adagrad:lr=R,eps=E` | `s += g²`, `p -= r g / (sqrt(s) + E)` (Duchi et al. 2011) |
//! | `rmsprop:lr=R,rho=A,eps=E` | `s = A s + (1 - A) g²`, `p -= r g / sqrt(s + E)` (Tieleman and Hinton 2012) |
//! | `adam:lr=R,beta1=B,beta2=C,eps=E` | Kingma and Ba 2015, with Keras's place of epsilon |
//! | `adamw:..,weight_decay=D` | Adam, and `p -= r D p` (Loshchilov and Hutter 2019) |
//!
//! An optimiser keeps *slots* beside each parameter, of its shape and zero at first. What depends on the step alone is computed once a
//! step, not for every element.

mod adagrad;
mod adam;
mod rmsprop;
mod sgd;

use crate::spec::{Spec, SpecError};
use cnnc_ir::{DType, Ex};
use std::fmt;
use std::str::FromStr;

pub use adagrad::AdaGrad;
pub use adam::Adam;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    Sgd(Sgd),
    AdaGrad(AdaGrad),
    RmsProp(RmsProp),
    Adam(Adam),
}

/// What one element of a parameter's update reads, all f32.
pub struct Element {
    pub parameter: Ex,
    pub gradient: Ex,
    pub slots: Vec<Ex>,
    /// The learning rate of this step.
    pub rate: Ex,
    /// What [`Optimizer::scalar`] computed.
    pub scalar: Ex,
}

const NAMES: &[&str] = &[
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw",
];

impl FromStr for Optimizer {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Optimizer, SpecError> {
        let mut spec = Spec::parse("optimizer", text);
        let optimizer = match spec.name() {
            "sgd" => Optimizer::Sgd(Sgd::read(&mut spec, 0.0, false)?),
            "momentum" => Optimizer::Sgd(Sgd::read(&mut spec, 0.9, false)?),
            "nesterov" => Optimizer::Sgd(Sgd::read(&mut spec, 0.9, true)?),
            "adagrad" => Optimizer::AdaGrad(AdaGrad::read(&mut spec)?),
            "rmsprop" => Optimizer::RmsProp(RmsProp::read(&mut spec)?),
            "adam" => Optimizer::Adam(Adam::read(&mut spec, 0.0)?),
            "adamw" => Optimizer::Adam(Adam::read(&mut spec, 0.01)?),
            _ => return Err(spec.unknown(NAMES)),
        };
        spec.finish()?;
        Ok(optimizer)
    }
}

impl Optimizer {
    /// The rate before any schedule.
    pub fn rate(&self) -> f64 {
        match self {
            Optimizer::Sgd(o) => o.rate,
            Optimizer::AdaGrad(o) => o.rate,
            Optimizer::RmsProp(o) => o.rate,
            Optimizer::Adam(o) => o.rate,
        }
    }

    /// Names of the values kept beside each parameter.
    pub fn slots(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd(o) if o.momentum == 0.0 => &[],
            Optimizer::Sgd(_) => &["velocity"],
            Optimizer::AdaGrad(_) | Optimizer::RmsProp(_) => &["squares"],
            Optimizer::Adam(_) => &["mean", "squares"],
        }
    }

    /// What every element's update has in common, from rate and step.
    pub fn scalar(&self, rate: &Ex, step: &Ex) -> Ex {
        match self {
            Optimizer::Adam(o) => o.corrected_rate(rate, step),
            _ => rate.clone(),
        }
    }

    /// The slots' next values.
    pub fn next_slots(&self, e: &Element) -> Vec<Ex> {
        match self {
            Optimizer::Sgd(o) => o.next_slots(e),
            Optimizer::AdaGrad(o) => o.next_slots(e),
            Optimizer::RmsProp(o) => o.next_slots(e),
            Optimizer::Adam(o) => o.next_slots(e),
        }
    }

    /// The parameter's next value, in the next values of the slots; the old ones are not read, so that new ones may take their place first.
    pub fn next_parameter(&self, e: &Element, slots: &[Ex]) -> Ex {
        match self {
            Optimizer::Sgd(o) => o.next_parameter(e, slots),
            Optimizer::AdaGrad(o) => o.next_parameter(e, slots),
            Optimizer::RmsProp(o) => o.next_parameter(e, slots),
            Optimizer::Adam(o) => o.next_parameter(e, slots),
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Optimizer::Sgd(o) => o.fmt(f),
            Optimizer::AdaGrad(o) => o.fmt(f),
            Optimizer::RmsProp(o) => o.fmt(f),
            Optimizer::Adam(o) => o.fmt(f),
        }
    }
}

/// Takes the learning rate, which every optimiser has.
fn rate(spec: &mut Spec, default: f64) -> Result<f64, SpecError> {
    Ok(spec.number("lr", 0.0, 1e6)?.unwrap_or(default))
}

/// `a x + b y`.
fn blend(a: f64, x: &Ex, b: f64, y: &Ex) -> Ex {
    x * a + y * b
}

/// An f32 literal.
fn literal(value: f64) -> Ex {
    Ex::float(DType::F32, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_optimisers() {
        for text in [
            "sgd:lr=0.1,momentum=0.9,nesterov=0,weight_decay=0.0005",
            "adagrad:lr=0.01,eps=1e-7",
            "rmsprop:lr=0.001,rho=0.9,eps=1e-7",
            "adam:lr=0.001,beta1=0.9,beta2=0.999,eps=1e-7,weight_decay=0",
        ] {
            let optimizer: Optimizer = text.parse().unwrap();
            assert_eq!(optimizer.to_string(), text);
        }
        assert_eq!(
            "momentum".parse::<Optimizer>().unwrap().slots(),
            ["velocity"]
        );
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text: &str| text.parse::<Optimizer>().unwrap_err().to_string();
        insta::assert_snapshot!(error("adm"), @"unknown optimizer 'adm'; did you mean 'adam'? (known: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw)");
        insta::assert_snapshot!(error("adam:beta=1"), @"optimizer 'adam' takes no option 'beta'");
    }
}
