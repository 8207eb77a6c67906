//! Decisions among the free choices of a kernel: what was measured for the very problem, else what is estimated to be quickest.
//!
//! A problem is a contraction's geometry as a text: nodes of one text are solved in one way, and measured once. [`Choices`] print as
//! a line a problem, and parsing inverts printing: an artefact carries them, so that it can be made again without measuring.

use super::{Numerics, Selector};
use crate::kernel::blocking::Blocking;
use crate::kernel::choice::{Choice, Tiling};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::filter;
use crate::kernel::plan::{Plan, PlanError};
use crate::kernel::winograd::{self, Algorithm, Setting};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Schemes of each of Winograd's algorithms, and tilings of the direct sum, that are worth to be measured.
const SCHEMES: usize = 4;
const TILINGS: usize = 6;

/// What was measured, and for how many threads and which numerics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    pub threads: usize,
    pub numerics: Numerics,
    /// By the text of the problem.
    pub measured: BTreeMap<String, Measured>,
}

/// The quickest choice, and the quickest of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub choice: Choice,
    pub us: f64,
    pub next: Option<(Choice, f64)>,
}

/// How one node's problem is solved.
#[derive(Clone, Debug)]
pub struct Decision {
    pub problem: String,
    pub taken: Choice,
    /// What was measured, where that decided.
    pub measured: Option<Measured>,
    /// The choices there are, that which the estimates prefer first.
    pub ranking: Vec<Choice>,
}

impl Selector<'_> {
    /// Decides, for the record; `ranking` has one choice at least.
    fn decide(&mut self, problem: String, mut ranking: Vec<Choice>) -> Choice {
        let measured = self.choices.measured.get(&problem).copied();
        let taken = measured.map_or(ranking[0], |m| m.choice);
        let mut seen = Vec::new();
        ranking.retain(|choice| {
            !seen.contains(choice) && {
                seen.push(*choice);
                true
            }
        });
        self.decision = Some(Decision {
            problem,
            taken,
            measured,
            ranking,
        });
        taken
    }

    /// Decides between the direct sum and, where it may do it, Winograd's algorithms.
    pub(super) fn decide_convolution(
        &mut self,
        problem: String,
        geometry: &ConvGeometry,
        direct: &Blocking,
        winograd: Option<Setting>,
    ) -> Choice {
        let tilings = best_tilings(direct);
        let mut ranking = Vec::new();
        let mut others = vec![tilings.clone()];
        if let Some(setting) = winograd {
            ranking.extend(winograd::choose(geometry, setting).map(Choice::Winograd));
            others.extend(Algorithm::ALL.map(|algorithm| {
                let schemes = winograd::ranking(geometry, &[algorithm], setting);
                let schemes = schemes.into_iter().take(SCHEMES);
                schemes.map(Choice::Winograd).collect()
            }));
        }
        ranking.extend(tilings.first());
        // The best of every kind, then the second best: a tuner may run out of time.
        let depth = others.iter().map(Vec::len).max().unwrap_or(0);
        ranking.extend((0..depth).flat_map(|i| others.iter().filter_map(move |list| list.get(i))));
        self.decide(problem, ranking)
    }

    /// Decides between the direct sum of a filter gradient and Winograd's algorithms.
    pub(super) fn decide_gradient(&mut self, geometry: &ConvGeometry) -> Choice {
        let setting = self.setting(true);
        let direct = Choice::Direct(filter::tiling(geometry, self.target));
        let mut ranking = Vec::new();
        ranking.extend(winograd::choose_gradient(geometry, setting).map(Choice::Winograd));
        ranking.push(direct);
        for algorithm in Algorithm::ALL {
            let schemes = winograd::rank_gradient(geometry, &[algorithm], setting);
            ranking.extend(schemes.into_iter().take(SCHEMES).map(Choice::Winograd));
        }
        self.decide(format!("filter gradient of {geometry}"), ranking)
    }

    /// The plan of a direct sum, as it is decided.
    pub(super) fn decided(
        &mut self,
        problem: String,
        direct: &Blocking,
    ) -> Result<Plan, PlanError> {
        match self.decide(problem, best_tilings(direct)) {
            Choice::Direct(tiling) => planned(direct, tiling),
            Choice::Winograd(_) => direct.plan(),
        }
    }
}

/// A plan as was chosen; where that does not fit, as is estimated.
pub(super) fn planned(direct: &Blocking, tiling: Tiling) -> Result<Plan, PlanError> {
    direct.plan_as(tiling).or_else(|_| direct.plan())
}

fn best_tilings(direct: &Blocking) -> Vec<Choice> {
    let tilings = direct.tilings().into_iter().take(TILINGS);
    tilings.map(Choice::Direct).collect()
}

/// `choice`, then what was measured.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.taken)?;
        let Some(measured) = &self.measured else {
            return f.write_str(", as estimated");
        };
        write!(f, ", measured {:.1} us", measured.us)?;
        match &measured.next {
            Some((next, us)) => write!(f, "; next {next}, {us:.1} us"),
            None => Ok(()),
        }
    }
}

/// A head line, then `PROBLEM | CHOICE | US | CHOICE | US`; without the last two where there was no other choice.
impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numerics = match self.numerics {
            Numerics::Fast => "fast",
            Numerics::Strict => "strict",
        };
        writeln!(f, "threads={} numerics={numerics}", self.threads)?;
        for (problem, Measured { choice, us, next }) in &self.measured {
            write!(f, "{problem} | {choice} | {us:.1}")?;
            if let Some((next, us)) = next {
                write!(f, " | {next} | {us:.1}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl FromStr for Choices {
    type Err = ();

    /// The inverse of printing.
    fn from_str(text: &str) -> Result<Choices, ()> {
        let mut lines = text.lines();
        let (threads, numerics) = lines.next().ok_or(())?.split_once(' ').ok_or(())?;
        let threads = threads.strip_prefix("threads=").ok_or(())?;
        Ok(Choices {
            threads: threads.parse().map_err(drop)?,
            numerics: match numerics {
                "numerics=fast" => Numerics::Fast,
                "numerics=strict" => Numerics::Strict,
                _ => return Err(()),
            },
            measured: lines.map(problem).collect::<Result<_, ()>>()?,
        })
    }
}

fn problem(line: &str) -> Result<(String, Measured), ()> {
    let timed = |choice: &str, us: &str| Ok((choice.parse()?, us.parse().map_err(drop)?));
    let parts: Vec<&str> = line.split(" | ").collect();
    let (name, (choice, us), next) = match parts[..] {
        [name, choice, us] => (name, timed(choice, us)?, None),
        [name, choice, us, next, next_us] => {
            (name, timed(choice, us)?, Some(timed(next, next_us)?))
        }
        _ => return Err(()),
    };
    Ok((name.to_string(), Measured { choice, us, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "threads=2 numerics=fast\n\
        conv a | winograd f4 strip=1x14 parts=2 | 123.4 | direct block=14x2 order=groups | 150.0\n\
        matmul b | direct block=6x4 order=pixels | 7.5\n";

    #[test]
    fn parsing_inverts_printing() {
        let choices: Choices = TEXT.parse().unwrap();
        assert_eq!(choices.threads, 2);
        assert_eq!(choices.measured["matmul b"].next, None);
        assert_eq!(choices.to_string(), TEXT);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (from, to) in [
            ("threads=2", "threads=two"),
            ("numerics=fast", "numerics=quick"),
            (" | 7.5", ""),
            ("150.0", "150.0 | more"),
            ("f4", "f5"),
        ] {
            let text = TEXT.replace(from, to);
            assert_eq!(text.parse::<Choices>(), Err(()), "{text}");
        }
    }
}
