//! What a configuration changes of a training.
//!
//! | setting | of |
//! |---|---|
//! | `loss`, `optimizer`, `schedule`, `batch`, `epochs`, `l1`, `l2`, `clip` | the training, as its section spells them |
//! | `augment` | the training: `none`, or augmentations with `+` between |
//! | `lr`, `momentum`, `nesterov`, `weight_decay`, `beta1`, `beta2`, `rho`, `eps` | the optimiser |
//! | `smoothing`, `gamma`, `delta` | the loss |
//! | `warmup`, `floor` | the schedule |

use super::Configuration;
use crate::network::Training;
use crate::spec::SpecError;
use cnnc_ir::spelling::hint;
use std::fmt::Display;
use std::str::FromStr;

const WHOLE: [&str; 9] = [
    "loss",
    "optimizer",
    "schedule",
    "batch",
    "epochs",
    "l1",
    "l2",
    "clip",
    "augment",
];
const OPTIMIZER: [&str; 8] = [
    "lr",
    "momentum",
    "nesterov",
    "weight_decay",
    "beta1",
    "beta2",
    "rho",
    "eps",
];
const LOSS: [&str; 3] = ["smoothing", "gamma", "delta"];
const SCHEDULE: [&str; 2] = ["warmup", "floor"];

/// Why a configuration was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    #[error("unknown setting '{name}'{hint} (known: {known})")]
    Unknown {
        name: String,
        hint: String,
        known: String,
    },
    #[error("{name}={value}: expected {expected}")]
    Value {
        name: String,
        value: String,
        expected: String,
    },
    #[error("{name}={value}: {source}")]
    Spec {
        name: String,
        value: String,
        source: Box<SpecError>,
    },
}

/// A training with what a configuration says of it.
///
/// # Errors
/// If there is no such setting, or its value is none.
pub fn apply(base: &Training, configuration: &Configuration) -> Result<Training, SettingError> {
    let mut training = base.clone();
    let known = || WHOLE.iter().chain(&OPTIMIZER).chain(&LOSS).chain(&SCHEDULE);
    // Options of the optimiser are of the one that the configuration names.
    let (whole, parts): (Vec<_>, Vec<_>) = configuration
        .settings()
        .partition(|(name, _)| WHOLE.contains(name));
    for (name, value) in whole {
        set(&mut training, name, value)?;
    }
    for (name, value) in parts {
        if OPTIMIZER.contains(&name) {
            training.optimizer = option(&training.optimizer, name, value)?;
        } else if LOSS.contains(&name) {
            training.loss = option(&training.loss, name, value)?;
        } else if SCHEDULE.contains(&name) {
            training.schedule = option(&training.schedule, name, value)?;
        } else {
            return Err(SettingError::Unknown {
                name: name.to_string(),
                hint: hint(name, known().copied()),
                known: known().copied().collect::<Vec<_>>().join(", "),
            });
        }
    }
    Ok(training)
}

fn set(training: &mut Training, name: &str, value: &str) -> Result<(), SettingError> {
    let wrong = |expected: String| SettingError::Value {
        name: name.to_string(),
        value: value.to_string(),
        expected,
    };
    match name {
        "loss" => training.loss = read(name, value, value)?,
        "optimizer" => training.optimizer = read(name, value, value)?,
        "schedule" => training.schedule = read(name, value, value)?,
        "augment" => {
            let list = if value == "none" { "" } else { value };
            training.augment = read(name, value, &list.replace('+', " "))?;
        }
        "clip" => training.clip = Some(value.parse().map_err(wrong)?),
        "l1" | "l2" => {
            let factor = value.parse().ok();
            let factor = factor.filter(|x: &f64| (0.0..=f64::MAX).contains(x));
            let factor = factor.ok_or_else(|| wrong("a number from 0".to_string()))?;
            match name {
                "l1" => training.l1 = factor,
                _ => training.l2 = factor,
            }
        }
        _ => {
            // A range knows no whole numbers: they are rounded.
            let count = value.parse::<f64>().ok().map(f64::round);
            let count = count.filter(|n| (1.0..=1e6).contains(n));
            let count = count.ok_or_else(|| wrong("a number from 1 to 1000000".to_string()))?;
            match name {
                "batch" => training.batch = count as u64,
                _ => training.epochs = count as u64,
            }
        }
    }
    Ok(())
}

/// The same with another option.
fn option<T: Display + FromStr<Err = SpecError>>(
    base: &T,
    name: &str,
    value: &str,
) -> Result<T, SettingError> {
    let text = base.to_string();
    let (kind, options) = text.split_once(':').unwrap_or((&text, ""));
    let is_other = |option: &&str| !option.is_empty() && option.split('=').next() != Some(name);
    let mut options: Vec<&str> = options.split(',').filter(is_other).collect();
    let own = format!("{name}={value}");
    options.push(&own);
    read(name, value, &format!("{kind}:{}", options.join(",")))
}

fn read<T: FromStr<Err = SpecError>>(
    name: &str,
    value: &str,
    text: &str,
) -> Result<T, SettingError> {
    text.parse()
        .map_err(|source: SpecError| SettingError::Spec {
            name: name.to_string(),
            value: value.to_string(),
            source: Box::new(source),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::section;
    use crate::search::Space;

    fn applied(text: &str) -> Result<Training, SettingError> {
        let space: Space = text.parse().unwrap();
        apply(&Training::default(), &space.grid().next().unwrap())
    }

    #[test]
    fn settings_change_a_training() {
        let text = "lr=0.05 optimizer=nesterov batch=15.6..40 smoothing=0.1 schedule=cosine warmup=20 augment=flip+shift:2 l2=1e-4 clip=norm=1 epochs=3";
        insta::assert_snapshot!(section(&applied(text).unwrap()), @r#"
        train {
            loss cross_entropy(smoothing=0.1)
            optimizer sgd(lr=0.05, momentum=0.9, nesterov=1, weight_decay=0)
            schedule cosine(floor=0, warmup=20)
            batch 16
            epochs 3
            l2 0.0001
            clip norm=1
            metrics accuracy
            augment flip, shift(2)
        }
        "#);
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text: &str| applied(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("lrr=1"), @"unknown setting 'lrr'; did you mean 'lr'? (known: loss, optimizer, schedule, batch, epochs, l1, l2, clip, augment, lr, momentum, nesterov, weight_decay, beta1, beta2, rho, eps, smoothing, gamma, delta, warmup, floor)");
        insta::assert_snapshot!(error("momentum=0.9"), @"momentum=0.9: optimizer 'adam' takes no option 'momentum'");
        insta::assert_snapshot!(error("batch=0"), @"batch=0: expected a number from 1 to 1000000");
        insta::assert_snapshot!(error("augment=flap"), @"augment=flap: unknown augmentation 'flap'; did you mean 'flip'? (known: flip, crop:P, shift:P, rotate:D, cutout:S)");
    }
}
