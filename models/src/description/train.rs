//! The `train` section.
//!
//! | setting | says |
//! |---|---|
//! | `loss cross_entropy` | what is minimised ([`crate::loss`]) |
//! | `optimizer adam(lr=1e-3)` | how ([`crate::optimizer`]) |
//! | `schedule cosine(warmup=100)` | the learning rate's course ([`crate::schedule`]); over all epochs where it does not say |
//! | `batch 32`, `epochs 10` | samples a step, passes over the data |
//! | `l1 1e-5`, `l2 5e-4` | penalties on weights |
//! | `clip norm=1`, `clip value=0.5` | bounds on gradients |
//! | `metrics accuracy, top5` | figures ([`crate::metrics`]) |
//! | `augment flip, crop(4)` | changes of images ([`crate::data::Augmentation`]) |
//! | `early_stop patience=3` | when to end early ([`crate::stopping`]) |

use super::ast::{Name, Setting, Train};
use super::lex::Mistake;
use crate::metrics::Metrics;
use crate::network::{Clip, Training};
use crate::spec::SpecError;
use cnnc_ir::spelling::hint;

const SETTINGS: [&str; 11] = [
    "loss",
    "optimizer",
    "schedule",
    "batch",
    "epochs",
    "l1",
    "l2",
    "clip",
    "metrics",
    "augment",
    "early_stop",
];

/// Scores a sample that metrics are tried with: only their names are looked at, and some keep a matrix of so many rows and columns.
const COLUMNS: usize = 2;

/// What a section says, and the mistakes in it.
pub(super) fn training(train: &Train) -> (Training, Vec<Mistake>) {
    let (mut training, mut mistakes) = (Training::default(), Vec::new());
    let mut seen: Vec<&str> = Vec::new();
    for setting in &train.settings {
        let name = &setting.name;
        if seen.contains(&name.text.as_str()) {
            mistakes.push((name.at, format!("'{}' is said twice", name.text)));
            continue;
        }
        seen.push(&name.text);
        mistakes.extend(set(&mut training, setting).err());
    }
    (training, mistakes)
}

fn set(training: &mut Training, setting: &Setting) -> Result<(), Mistake> {
    match setting.name.text.as_str() {
        "loss" => training.loss = read(one(setting)?, &one(setting)?.text)?,
        "optimizer" => training.optimizer = read(one(setting)?, &one(setting)?.text)?,
        "schedule" => training.schedule = read(one(setting)?, &one(setting)?.text)?,
        "batch" => training.batch = count(setting)?,
        "epochs" => training.epochs = count(setting)?,
        "l1" => training.l1 = number(setting)?,
        "l2" => training.l2 = number(setting)?,
        "clip" => training.clip = Some(clip(setting)?),
        "metrics" => {
            for item in &setting.items {
                Metrics::parse(&item.text, COLUMNS).map_err(|e| at(item, e))?;
            }
            training.metrics = setting.items.iter().map(|i| i.text.clone()).collect();
        }
        "augment" => {
            let items = setting.items.iter().map(|item| read(item, &item.text));
            training.augment.0 = items.collect::<Result<_, _>>()?;
        }
        "early_stop" => {
            let texts: Vec<&str> = setting.items.iter().map(|i| i.text.as_str()).collect();
            let text = texts.join(",");
            let rule = text.parse().map_err(|e| at(&setting.name, e))?;
            training.early_stopping = Some(rule);
        }
        unknown => {
            let hint = hint(unknown, SETTINGS);
            let known = SETTINGS.join(", ");
            let message = format!("unknown setting '{unknown}'{hint} (known: {known})");
            return Err((setting.name.at, message));
        }
    }
    Ok(())
}

fn clip(setting: &Setting) -> Result<Clip, Mistake> {
    let item = one(setting)?;
    item.text.parse().map_err(|e| (item.at, e))
}

fn one(setting: &Setting) -> Result<&Name, Mistake> {
    match &setting.items[..] {
        [item] => Ok(item),
        [_, second, ..] => Err((
            second.at,
            format!("'{}' takes one value", setting.name.text),
        )),
        [] => Err((setting.name.at, "needs a value".into())),
    }
}

fn count(setting: &Setting) -> Result<u64, Mistake> {
    let item = one(setting)?;
    let number = item.text.parse::<u32>().ok().filter(|n| *n > 0);
    number.map(u64::from).ok_or_else(|| {
        let message = format!("expected a whole number above 0, found '{}'", item.text);
        (item.at, message)
    })
}

/// A number from 0.
fn number(setting: &Setting) -> Result<f64, Mistake> {
    let item = one(setting)?;
    let number = item.text.parse().ok();
    number
        .filter(|x| (0.0..=f64::MAX).contains(x))
        .ok_or_else(|| {
            let message = format!("expected a number from 0, found '{}'", item.text);
            (item.at, message)
        })
}

fn read<T: std::str::FromStr<Err = SpecError>>(item: &Name, text: &str) -> Result<T, Mistake> {
    text.parse().map_err(|e| at(item, e))
}

fn at(item: &Name, error: SpecError) -> Mistake {
    (item.at, error.to_string())
}
