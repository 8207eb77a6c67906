//! Initial values of parameters.
//!
//! | text | values |
//! |---|---|
//! | `zeros`, `ones`, `constant:value=V` | all alike |
//! | `uniform:limit=L` | uniform within L on both sides of 0 |
//! | `normal:std=S` | normal about 0 |
//! | `glorot_uniform`, `glorot_normal` | variance 2 / (fan in + fan out) (Glorot and Bengio 2010); also `xavier_...` |
//! | `he_uniform`, `he_normal` | variance 2 / fan in (He et al. 2015); also `kaiming_...` |
//!
//! Fans are those of the layer: of a convolution, inputs and outputs that a value of the kernel's window connects, as in Keras.

use crate::random::Random;
use crate::spec::{Spec, SpecError};
use std::f64::consts::TAU;

/// Names that initialisers go by.
pub const NAMES: [&str; 13] = [
    "zeros",
    "ones",
    "constant",
    "uniform",
    "normal",
    "glorot_uniform",
    "glorot_normal",
    "xavier_uniform",
    "xavier_normal",
    "he_uniform",
    "he_normal",
    "kaiming_uniform",
    "kaiming_normal",
];

/// How a parameter's values are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    Constant(f64),
    /// Within the limit on both sides of 0.
    Uniform(f64),
    /// Of that standard deviation.
    Normal(f64),
}

impl Initializer {
    /// What `text` says for a parameter with these fans; a key may be left out (`normal:0.01`).
    pub fn parse(text: &str, fan_in: f64, fan_out: f64) -> Result<Initializer, SpecError> {
        let mut spec = Spec::parse("initialiser", text);
        let glorot = 2.0 / (fan_in + fan_out).max(1.0);
        let he = 2.0 / fan_in.max(1.0);
        let of = |variance: f64, is_uniform: bool| match is_uniform {
            true => Initializer::Uniform((3.0 * variance).sqrt()),
            false => Initializer::Normal(variance.sqrt()),
        };
        let initializer = match spec.name() {
            "zeros" => Initializer::Constant(0.0),
            "ones" => Initializer::Constant(1.0),
            "constant" => Initializer::Constant(number(&mut spec, "value", f64::MIN)?),
            "uniform" => Initializer::Uniform(number(&mut spec, "limit", 0.0)?),
            "normal" => Initializer::Normal(number(&mut spec, "std", 0.0)?),
            "glorot_uniform" | "xavier_uniform" => of(glorot, true),
            "glorot_normal" | "xavier_normal" => of(glorot, false),
            "he_uniform" | "kaiming_uniform" => of(he, true),
            "he_normal" | "kaiming_normal" => of(he, false),
            _ => return Err(spec.unknown(&NAMES)),
        };
        spec.finish()?;
        Ok(initializer)
    }

    /// Values for a tensor of that shape.
    pub fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f64> {
        let count = shape.iter().product();
        let draw = || match *self {
            Initializer::Constant(value) => value,
            Initializer::Uniform(limit) => random.between(-limit, limit),
            Initializer::Normal(std) => std * normal(random),
        };
        std::iter::repeat_with(draw).take(count).collect()
    }
}

/// The one option, with or without its key.
fn number(spec: &mut Spec, key: &'static str, least: f64) -> Result<f64, SpecError> {
    let bare = spec.number("", least, f64::MAX)?;
    let value = match bare {
        None => spec.number(key, least, f64::MAX)?,
        given => given,
    };
    value.ok_or_else(|| spec.absent(&format!("{key}=X")))
}

/// Standard normal (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (TAU * random.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and standard deviation of 20,000 values for fans 100 and 300.
    fn moments(text: &str) -> String {
        let initializer = Initializer::parse(text, 100.0, 300.0).unwrap();
        let values = initializer.values(&[20_000], &mut Random::of(&[5]));
        let mean = values.iter().sum::<f64>() / 2e4;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2e4;
        format!("{:.1} {:.2}", mean.abs(), variance.sqrt())
    }

    #[test]
    fn deviations_are_those_of_the_papers() {
        insta::assert_snapshot!(moments("ones"), @"1.0 0.00");
        insta::assert_snapshot!(moments("uniform:0.3"), @"0.0 0.17");
        insta::assert_snapshot!(moments("normal:std=0.5"), @"0.0 0.50");
        insta::assert_snapshot!(moments("glorot_uniform"), @"0.0 0.07");
        insta::assert_snapshot!(moments("he_normal"), @"0.0 0.14");
    }

    #[test]
    fn slips_are_named() {
        let fault = |text| Initializer::parse(text, 1.0, 1.0).unwrap_err().to_string();
        insta::assert_snapshot!(fault("normal"), @"initialiser 'normal' needs std=X");
        insta::assert_snapshot!(fault("ones:2"), @"initialiser 'ones' takes no option '2'");
    }
}
