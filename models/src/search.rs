//! Judging and choosing configurations: cross-validation, grid search, random search (Bergstra and Bengio, "Random search for
//! hyper-parameter optimization", 2012).
//!
//! All are iterators and run nothing: what a configuration is worth, whoever trains it finds out.

pub mod settings;

use crate::random::Random;
use std::fmt;
use std::str::FromStr;

/// Indices of the samples to learn from and of those to judge by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
}

/// `k` folds, each sample in the validation part of exactly one. Parts differ by one sample at most, and hold every class as often, but
/// for one. Which samples, `seed` decides; indices ascend.
pub fn folds(labels: &[u32], k: usize, seed: u64) -> impl Iterator<Item = Fold> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    Random::of(&[seed, k as u64]).shuffle(&mut order);
    // Dealt out class by class without a break, so that both the parts and the classes within come out even.
    order.sort_by_key(|&index| labels[index]);
    let mut part = vec![0; labels.len()];
    for (place, index) in order.into_iter().enumerate() {
        part[index] = place % k.max(1);
    }
    (0..k).map(move |fold| {
        let (validation, train) = (0..part.len()).partition(|&index| part[index] == fold);
        Fold { train, validation }
    })
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq)]
enum Choice {
    /// One of these words.
    Words(Vec<String>),
    /// A number from `low` to `high`; a grid takes `points` of them.
    Range {
        low: f64,
        high: f64,
        is_log: bool,
        points: usize,
    },
}

/// A space of configurations: `lr=1e-4..1e-2:log batch=16,32 optimizer=adam,sgd`.
///
/// A setting is a list of words, or a range of numbers, even on the line or, with `:log`, on the logarithm. A grid takes three points of a
/// range, or as many as it says: `dropout=0..0.5:6`.
#[derive(Clone, Debug, PartialEq)]
pub struct Space(Vec<(String, Choice)>);

/// A value for every setting, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration(Vec<(String, String)>);

/// Why a space was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    #[error("'{0}': expected NAME=VALUE,VALUE or NAME=LOW..HIGH")]
    Setting(String),
    #[error("'{0}': expected two numbers, the first below the second")]
    Range(String),
    #[error("'{0}': a logarithmic range must begin above 0")]
    Log(String),
    #[error("'{setting}': expected 'log' or a number of points from 2 on, got '{found}'")]
    Form { setting: String, found: String },
    #[error("the setting '{0}' occurs more than once")]
    Twice(String),
}

impl Configuration {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Settings with their values, in the order of the space.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// `lr=0.001 batch=16`.
impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.settings().map(|(n, v)| format!("{n}={v}")).collect();
        f.write_str(&words.join(" "))
    }
}

impl Choice {
    fn count(&self) -> usize {
        match self {
            Choice::Words(words) => words.len(),
            Choice::Range { points, .. } => *points,
        }
    }

    /// The value at a place of the grid.
    fn at(&self, index: usize) -> String {
        match self {
            Choice::Words(words) => words.get(index).cloned().unwrap_or_default(),
            Choice::Range { points, .. } => self.along(index as f64 / (points - 1) as f64),
        }
    }

    /// The value at a share of a range.
    fn along(&self, share: f64) -> String {
        match *self {
            Choice::Words(_) => String::new(),
            Choice::Range {
                low, high, is_log, ..
            } => {
                let value = match (share, is_log) {
                    // The ends are what was said, not what rounding makes of it.
                    (0.0, _) => low,
                    (1.0, _) => high,
                    (_, false) => low + (high - low) * share,
                    (_, true) => (low.ln() + (high.ln() - low.ln()) * share).exp(),
                };
                short(value)
            }
        }
    }

    fn draw(&self, random: &mut Random) -> String {
        match self {
            Choice::Words(words) => self.at(random.index(words.len())),
            Choice::Range { .. } => self.along(random.unit()),
        }
    }
}

/// Six significant digits: enough for a setting, and short enough to be said again.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    if rounded != 0.0 && !(1e-3..1e6).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

impl Space {
    /// Every combination, the last setting changing fastest.
    pub fn grid(&self) -> impl Iterator<Item = Configuration> {
        let mut next = Some(vec![0; self.0.len()]);
        std::iter::from_fn(move || {
            let places = next.take()?;
            let value = |((name, choice), &place): (&(String, Choice), &usize)| {
                (name.clone(), choice.at(place))
            };
            let configuration = self.0.iter().zip(&places).map(value).collect();
            next = self.following(places);
            Some(Configuration(configuration))
        })
    }

    /// The places of the next combination: an odometer's.
    fn following(&self, mut places: Vec<usize>) -> Option<Vec<usize>> {
        for (place, (_, choice)) in places.iter_mut().zip(&self.0).rev() {
            *place += 1;
            if *place < choice.count() {
                return Some(places);
            }
            *place = 0;
        }
        None
    }

    /// Configurations without end; the one at a place depends on the seed and the place only.
    pub fn random(&self, seed: u64) -> impl Iterator<Item = Configuration> {
        (0..).map(move |trial| {
            let mut random = Random::of(&[seed, trial]);
            let settings = self.0.iter();
            Configuration(
                settings
                    .map(|(name, choice)| (name.clone(), choice.draw(&mut random)))
                    .collect(),
            )
        })
    }
}

impl FromStr for Space {
    type Err = SpaceError;

    fn from_str(text: &str) -> Result<Space, SpaceError> {
        let mut settings: Vec<(String, Choice)> = Vec::new();
        for setting in text.split_whitespace() {
            let wrong = || SpaceError::Setting(setting.to_string());
            let (name, choice) = setting.split_once('=').ok_or_else(wrong)?;
            if settings.iter().any(|(n, _)| n == name) {
                return Err(SpaceError::Twice(name.to_string()));
            }
            let choice = match choice.split_once("..") {
                Some((low, rest)) => range(setting, low, rest)?,
                None => Choice::Words(choice.split(',').map(str::to_string).collect()),
            };
            if name.is_empty()
                || matches!(&choice, Choice::Words(w) if w.iter().any(String::is_empty))
            {
                return Err(wrong());
            }
            settings.push((name.to_string(), choice));
        }
        Ok(Space(settings))
    }
}

/// `LOW..HIGH[:log][:POINTS]`.
fn range(setting: &str, low: &str, rest: &str) -> Result<Choice, SpaceError> {
    let mut words = rest.split(':');
    let number = |text: &str| text.parse().ok().filter(|n: &f64| n.is_finite());
    let (low, high) = match (number(low), words.next().and_then(number)) {
        (Some(low), Some(high)) if low < high => (low, high),
        _ => return Err(SpaceError::Range(setting.to_string())),
    };
    let (mut is_log, mut points) = (false, 3);
    for word in words {
        match word.parse() {
            _ if word == "log" => is_log = true,
            Ok(n @ 2..) => points = n,
            _ => {
                return Err(SpaceError::Form {
                    setting: setting.to_string(),
                    found: word.to_string(),
                });
            }
        }
    }
    if is_log && low <= 0.0 {
        return Err(SpaceError::Log(setting.to_string()));
    }
    Ok(Choice::Range {
        low,
        high,
        is_log,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(configurations: impl Iterator<Item = Configuration>) -> String {
        configurations
            .map(|c| c.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn a_grid_combines_everything() {
        let space: Space = "lr=1e-4..1e-2:log batch=16,32".parse().unwrap();
        insta::assert_snapshot!(shown(space.grid()), @r#"
        lr=1e-4 batch=16
        lr=1e-4 batch=32
        lr=0.001 batch=16
        lr=0.001 batch=32
        lr=0.01 batch=16
        lr=0.01 batch=32
        "#);
        let space: Space = "dropout=0..0.5:6".parse().unwrap();
        insta::assert_snapshot!(shown(space.grid()), @r#"
        dropout=0
        dropout=0.1
        dropout=0.2
        dropout=0.3
        dropout=0.4
        dropout=0.5
        "#);
        assert_eq!("".parse::<Space>().unwrap().grid().count(), 1);
    }

    #[test]
    fn random_configurations_stay_inside() {
        let space: Space = "lr=1e-4..1e-2:log dropout=0..0.5 optimizer=adam,sgd"
            .parse()
            .unwrap();
        insta::assert_snapshot!(shown(space.random(7).take(3)), @r#"
        lr=7.63873e-4 dropout=0.335592 optimizer=sgd
        lr=2.47138e-4 dropout=0.283321 optimizer=adam
        lr=0.0063348 dropout=0.445706 optimizer=adam
        "#);
        let rates: Vec<f64> = space
            .random(1)
            .take(400)
            .map(|c| c.get("lr").unwrap().parse().unwrap())
            .collect();
        assert!(rates.iter().all(|rate| (1e-4..=1e-2).contains(rate)));
        let small = rates.iter().filter(|rate| **rate < 1e-3).count();
        assert!(
            (160..240).contains(&small),
            "{small} of 400 in the lower half of the logarithm"
        );
    }

    #[test]
    fn slips_are_named() {
        let fault = |text: &str| text.parse::<Space>().unwrap_err().to_string();
        insta::assert_snapshot!(fault("lr"), @"'lr': expected NAME=VALUE,VALUE or NAME=LOW..HIGH");
        insta::assert_snapshot!(fault("batch=16,"), @"'batch=16,': expected NAME=VALUE,VALUE or NAME=LOW..HIGH");
        insta::assert_snapshot!(fault("lr=2..1"), @"'lr=2..1': expected two numbers, the first below the second");
        insta::assert_snapshot!(fault("lr=0..1:log"), @"'lr=0..1:log': a logarithmic range must begin above 0");
        insta::assert_snapshot!(fault("lr=1..2:lin"), @"'lr=1..2:lin': expected 'log' or a number of points from 2 on, got 'lin'");
        insta::assert_snapshot!(fault("lr=1..2:1"), @"'lr=1..2:1': expected 'log' or a number of points from 2 on, got '1'");
        insta::assert_snapshot!(fault("a=1 a=2"), @"the setting 'a' occurs more than once");
    }

    proptest! {
        #[test]
        fn folds_are_even_and_hold_everything_once(labels in prop::collection::vec(0u32..4, 0..60), k in 1usize..7, seed: u64) {
            let folds: Vec<Fold> = folds(&labels, k, seed).collect();
            prop_assert_eq!(folds.len(), k);
            let mut seen: Vec<usize> = folds.iter().flat_map(|f| f.validation.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..labels.len()).collect::<Vec<_>>());
            let spread = |count: &dyn Fn(&Fold) -> usize| {
                let counts: Vec<usize> = folds.iter().map(count).collect();
                counts.iter().max().unwrap() - counts.iter().min().unwrap()
            };
            prop_assert!(spread(&|f| f.validation.len()) <= 1);
            for class in 0..4 {
                prop_assert!(spread(&|f| f.validation.iter().filter(|&&i| labels[i] == class).count()) <= 1);
            }
            for fold in &folds {
                prop_assert_eq!(fold.train.len() + fold.validation.len(), labels.len());
                prop_assert!(fold.train.iter().all(|i| !fold.validation.contains(i)));
            }
        }
    }
}
