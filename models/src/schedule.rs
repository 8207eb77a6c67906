//! How the learning rate changes while a network learns: a factor for every step, which multiplies the optimiser's rate.
//!
//! | text | factor |
//! |---|---|
//! | `constant` | 1 |
//! | `step:epochs=E,factor=F` | F for each E epochs that are over |
//! | `exponential:epochs=E,factor=F` | F to the power of (steps / steps of E epochs), smoothly |
//! | `cosine:epochs=E,floor=F` | from 1 down to F (0 where not said) along half a cosine over E epochs (to the end of training where not said), F afterwards (Loshchilov and Hutter 2017) |
//!
//! `steps=N` stands for `epochs=E` everywhere. `warmup=N` on any of them grows linearly to 1 over the first N steps (Goyal et al. 2017); what
//! follows starts then, but ends where it would have ended.

use crate::spec::{Spec, SpecError};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// A stretch of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Epochs(f64),
    Steps(u64),
    /// All of it.
    Training,
}

/// How long training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    pub steps_per_epoch: u64,
    pub epochs: u64,
}

impl Length {
    /// In steps, at least one.
    fn steps(self, horizon: Horizon) -> f64 {
        let steps_per_epoch = horizon.steps_per_epoch as f64;
        let steps = match self {
            Length::Epochs(epochs) => epochs * steps_per_epoch,
            Length::Steps(steps) => steps as f64,
            Length::Training => horizon.epochs as f64 * steps_per_epoch,
        };
        steps.max(1.0)
    }
}

/// The way down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    #[default]
    Constant,
    Step {
        every: Length,
        factor: f64,
    },
    Exponential {
        over: Length,
        factor: f64,
    },
    Cosine {
        over: Length,
        floor: f64,
    },
}

/// A decay behind a warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Schedule {
    pub decay: Decay,
    /// Steps of linear growth at the start.
    pub warmup: u64,
}

impl Schedule {
    /// The factor of `step`, the first being 0.
    pub fn factor(&self, step: u64, horizon: Horizon) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64;
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Step { every, factor } => factor.powf((done / every.steps(horizon)).floor()),
            Decay::Exponential { over, factor } => factor.powf(done / over.steps(horizon)),
            Decay::Cosine { over, floor } => {
                let left = (over.steps(horizon) - self.warmup as f64).max(1.0);
                let progress = (done / left).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (PI * progress).cos())
            }
        }
    }
}

/// The longest stretch that is believed, in epochs.
const MOST_EPOCHS: f64 = 1e9;

impl FromStr for Schedule {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Schedule, SpecError> {
        let mut spec = Spec::parse("schedule", text);
        let decay = match spec.name() {
            "constant" => Decay::Constant,
            "step" => Decay::Step {
                every: length(&mut spec)?,
                factor: factor(&mut spec)?,
            },
            "exponential" => Decay::Exponential {
                over: length(&mut spec)?,
                factor: factor(&mut spec)?,
            },
            "cosine" => Decay::Cosine {
                over: length_or_none(&mut spec)?.unwrap_or(Length::Training),
                floor: spec.number("floor", 0.0, 1.0)?.unwrap_or(0.0),
            },
            _ => return Err(spec.unknown(&["constant", "step", "exponential", "cosine"])),
        };
        let warmup = spec.count("warmup")?.unwrap_or(0);
        spec.finish()?;
        Ok(Schedule { decay, warmup })
    }
}

fn length(spec: &mut Spec) -> Result<Length, SpecError> {
    length_or_none(spec)?.ok_or_else(|| spec.absent("epochs=E or steps=N"))
}

fn length_or_none(spec: &mut Spec) -> Result<Option<Length>, SpecError> {
    if let Some(epochs) = spec.number("epochs", 1e-9, MOST_EPOCHS)? {
        return Ok(Some(Length::Epochs(epochs)));
    }
    Ok(spec.count("steps")?.map(Length::Steps))
}

fn factor(spec: &mut Spec) -> Result<f64, SpecError> {
    let factor = spec.number("factor", 0.0, 1.0)?;
    factor.ok_or_else(|| spec.absent("factor=F"))
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Epochs(epochs) => write!(f, "epochs={epochs}"),
            Length::Steps(steps) => write!(f, "steps={steps}"),
            Length::Training => f.write_str("training"),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decay {
            Decay::Constant => f.write_str("constant")?,
            Decay::Step { every, factor } => write!(f, "step:{every},factor={factor}")?,
            Decay::Exponential { over, factor } => write!(f, "exponential:{over},factor={factor}")?,
            Decay::Cosine {
                over: Length::Training,
                floor,
            } => write!(f, "cosine:floor={floor}")?,
            Decay::Cosine { over, floor } => write!(f, "cosine:{over},floor={floor}")?,
        }
        match (self.warmup, self.decay) {
            (0, _) => Ok(()),
            (warmup, Decay::Constant) => write!(f, ":warmup={warmup}"),
            (warmup, _) => write!(f, ",warmup={warmup}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors at steps 0, 5, 10, ... of four epochs of ten steps.
    fn course(text: &str) -> String {
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
        let horizon = Horizon {
            steps_per_epoch: 10,
            epochs: 4,
        };
        let factors = (0..9).map(|i| format!("{:.3}", schedule.factor(5 * i, horizon)));
        factors.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn courses() {
        insta::assert_snapshot!(course("constant"), @"1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000");
        insta::assert_snapshot!(course("constant:warmup=20"), @"0.050 0.300 0.550 0.800 1.000 1.000 1.000 1.000 1.000");
        insta::assert_snapshot!(course("step:epochs=1,factor=0.5"), @"1.000 1.000 0.500 0.500 0.250 0.250 0.125 0.125 0.062");
        insta::assert_snapshot!(course("exponential:epochs=1,factor=0.5"), @"1.000 0.707 0.500 0.354 0.250 0.177 0.125 0.088 0.062");
        insta::assert_snapshot!(course("exponential:steps=5,factor=0.5"), @"1.000 0.500 0.250 0.125 0.062 0.031 0.016 0.008 0.004");
        insta::assert_snapshot!(course("cosine:epochs=4"), @"1.000 0.962 0.854 0.691 0.500 0.309 0.146 0.038 0.000");
        assert_eq!(course("cosine"), course("cosine:epochs=4"));
        assert_eq!(
            course("cosine:warmup=10"),
            course("cosine:epochs=4,warmup=10")
        );
        insta::assert_snapshot!(course("cosine:epochs=2,floor=0.1"), @"1.000 0.868 0.550 0.232 0.100 0.100 0.100 0.100 0.100");
        insta::assert_snapshot!(course("cosine:epochs=4,warmup=10"), @"0.100 0.600 1.000 0.933 0.750 0.500 0.250 0.067 0.000");
    }

    #[test]
    fn slips_are_named() {
        let fault = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        insta::assert_snapshot!(fault("cosin:epochs=4"), @"unknown schedule 'cosin'; did you mean 'cosine'? (known: constant, step, exponential, cosine)");
        insta::assert_snapshot!(fault("step"), @"schedule 'step' needs epochs=E or steps=N");
        insta::assert_snapshot!(fault("cosine:epochs=0"), @"schedule 'cosine': expected epochs to be a number from 1e-9 to 1000000000.0, got '0'");
        insta::assert_snapshot!(fault("step:epochs=1"), @"schedule 'step' needs factor=F");
        insta::assert_snapshot!(fault("constant:rate=2"), @"schedule 'constant' takes no option 'rate'");
    }
}
