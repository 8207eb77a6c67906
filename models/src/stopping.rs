//! Early stopping: training ends when a figure has not got better for some time (Prechelt, "Early stopping, but when?", 1998).

use crate::spec::{Spec, SpecError};
use std::str::FromStr;

/// Which way a figure gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// As a loss.
    Least,
    /// As an accuracy.
    Most,
}

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// Evaluations in a row without a better figure that end training.
    pub patience: u64,
    /// A figure is better only by more than this.
    pub min_delta: f64,
}

/// What an evaluation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The best figure so far: worth a checkpoint.
    Better,
    /// Not better, but patience is left.
    Wait,
    Stop,
}

/// The best figure so far, and how long ago it was; all there is to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Best {
    pub value: Option<f64>,
    /// Evaluations since.
    pub waited: u64,
}

impl Best {
    /// Takes note of the next figure, better by more than `min_delta`. One that is not a number is not better.
    pub fn update(&mut self, figure: f64, goal: Goal, min_delta: f64) -> bool {
        let is_better = match (self.value, goal) {
            (None, _) => !figure.is_nan(),
            (Some(best), Goal::Least) => figure < best - min_delta,
            (Some(best), Goal::Most) => figure > best + min_delta,
        };
        if is_better {
            *self = Best {
                value: Some(figure),
                waited: 0,
            };
        } else {
            self.waited += 1;
        }
        is_better
    }
}

impl EarlyStopping {
    /// Judges the next figure and takes note of it.
    pub fn judge(&self, best: &mut Best, figure: f64, goal: Goal) -> Verdict {
        if best.update(figure, goal, self.min_delta) {
            Verdict::Better
        } else if best.waited >= self.patience {
            Verdict::Stop
        } else {
            Verdict::Wait
        }
    }
}

/// `patience=N,min_delta=D`; a difference not said is 0.
impl FromStr for EarlyStopping {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<EarlyStopping, SpecError> {
        let options = format!("early:{text}");
        let mut spec = Spec::parse("stopping", &options);
        let patience = spec
            .count("patience")?
            .ok_or_else(|| spec.absent("patience=N"))?;
        let min_delta = spec.number("min_delta", 0.0, f64::MAX)?.unwrap_or(0.0);
        spec.finish()?;
        Ok(EarlyStopping {
            patience,
            min_delta,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(rule: &str, goal: Goal, figures: &[f64]) -> Vec<Verdict> {
        let rule: EarlyStopping = rule.parse().unwrap();
        let mut best = Best::default();
        figures
            .iter()
            .map(|&f| rule.judge(&mut best, f, goal))
            .collect()
    }

    #[test]
    fn patience_ends_after_so_many_worse_figures() {
        use Verdict::*;
        let losses = [1.0, 0.5, 0.6, 0.4, 0.4, f64::NAN];
        assert_eq!(
            verdicts("patience=2", Goal::Least, &losses),
            [Better, Better, Wait, Better, Wait, Stop]
        );
        let accuracies = [0.5, 0.55, 0.65];
        assert_eq!(
            verdicts("patience=1,min_delta=0.1", Goal::Most, &accuracies),
            [Better, Stop, Better]
        );
        assert_eq!(verdicts("patience=1", Goal::Most, &[f64::NAN]), [Stop]);
    }

    #[test]
    fn slips_are_named() {
        let fault = |text: &str| text.parse::<EarlyStopping>().unwrap_err().to_string();
        insta::assert_snapshot!(fault(""), @"stopping 'early' needs patience=N");
        insta::assert_snapshot!(fault("patience=3,delta=1"), @"stopping 'early' takes no option 'delta'");
        insta::assert_snapshot!(fault("patience=0"), @"stopping 'early': expected patience to be a whole number above 0, got '0'");
    }
}
