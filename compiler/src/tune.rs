//! Measuring the free choices of kernels on this machine.
//!
//! Choices are measured where they will run: round after round the network is compiled with the next choice of every problem and run,
//! each step timed by itself. So a kernel's input is warm, as the step before has just written it; its weights are cold, as all
//! caches are walked out of before every run. (A kernel run again and again by itself finds its weights in a cache, and what is
//! chosen that way is wrong for networks.) The shortest time of a choice counts, and the estimate's choice stays unless another one
//! is clearly quicker.
//!
//! Nodes of one geometry are one problem, with one choice. Deliberately absent: bodies of control flow, which keep their estimates.

use crate::compile::{CompileError, CompileOptions, Compiled, compile};
use crate::kernel::choice::Choice;
use crate::select::decision::{Choices, Measured};
use cnnc_ir::Graph;
use cnnc_runtime::{RunError, Session, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Bytes that are walked over before a run: more than a core's share of any cache.
const EVICTED: usize = 64 << 20;
const CACHE_LINE: usize = 64;

/// Runs of a round, at least and at most.
const RUNS: [usize; 2] = [3, 30];

/// What another choice may take of the estimated one's time, to be preferred.
const CLEARLY: f64 = 0.97;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TuneError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What was found out about a problem.
#[derive(Default)]
struct Trials {
    /// The choices there are, the estimate's first.
    ranking: Vec<Choice>,
    /// Microseconds of those tried, in the order of their first trial; the shortest counts.
    us: Vec<(Choice, f64)>,
}

/// Measures choices for `graph` until they are all measured or `budget` is spent, one round at least. `progress` is told what share
/// is done.
pub fn tune(
    graph: &Graph,
    options: &CompileOptions,
    budget: Duration,
    mut progress: impl FnMut(f64),
) -> Result<Choices, TuneError> {
    let begin = Instant::now();
    let mut options = options.clone();
    options.choices = Choices {
        threads: options.threads,
        numerics: options.numerics,
        measured: BTreeMap::new(),
    };
    let mut problems: BTreeMap<String, Trials> = BTreeMap::new();
    let evicted = vec![1u8; EVICTED];
    let mut rounds = 1;
    let mut round = 0;
    while round < rounds {
        let start = Instant::now();
        // In the end the estimate's choices once more, and those that seem to be best.
        let trial = |trials: &Trials| match rounds - round {
            _ if round == 0 => None,
            1 => trials.quickest(),
            2 => trials.ranking.first().copied(),
            _ => trials
                .ranking
                .get(round)
                .or(trials.ranking.first())
                .copied(),
        };
        options.choices.measured = recorded(&problems, trial);
        let compiled = compile(graph.clone(), &options)?;
        for (_, decision) in &compiled.decisions {
            let trials = problems.entry(decision.problem.clone()).or_default();
            trials.ranking.clone_from(&decision.ranking);
        }
        if round == 0 {
            let most = problems.values().map(|t| t.ranking.len()).max();
            rounds = most.unwrap_or(0) + 2;
        }
        let share = budget.saturating_sub(begin.elapsed()) / (rounds - round) as u32;
        measure(compiled, options.threads, &evicted, share, &mut problems)?;
        round += 1;
        // What is left may suffice for fewer rounds: the last two then come early.
        let affordable = budget.saturating_sub(begin.elapsed()).as_secs_f64()
            / start.elapsed().as_secs_f64().max(1e-3);
        rounds = rounds.min((round + affordable as usize).max(round));
        progress(round as f64 / rounds.max(1) as f64);
    }
    options.choices.measured = problems
        .iter()
        .filter_map(|(problem, trials)| Some((problem.clone(), trials.verdict()?)))
        .collect();
    Ok(options.choices)
}

/// Choices to be tried, in the form that compilation takes.
fn recorded(
    problems: &BTreeMap<String, Trials>,
    trial: impl Fn(&Trials) -> Option<Choice>,
) -> BTreeMap<String, Measured> {
    let tried = problems.iter().filter_map(|(problem, trials)| {
        let measured = Measured {
            choice: trial(trials)?,
            us: 0.0,
            next: None,
        };
        Some((problem.clone(), measured))
    });
    tried.collect()
}

impl Trials {
    fn note(&mut self, choice: Choice, us: f64) {
        match self.us.iter_mut().find(|(known, _)| *known == choice) {
            Some((_, shortest)) => *shortest = shortest.min(us),
            None => self.us.push((choice, us)),
        }
    }

    /// The estimate's choice or, if it is clearly quicker, the quickest.
    fn quickest(&self) -> Option<Choice> {
        let (estimated, estimated_us) = *self.us.first()?;
        let (quickest, us) = *self.us.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(match us < CLEARLY * estimated_us {
            true => quickest,
            false => estimated,
        })
    }

    /// `None` where there was nothing to choose.
    fn verdict(&self) -> Option<Measured> {
        let choice = self.quickest()?;
        let others = self.us.iter().filter(|(other, _)| *other != choice);
        let next = others.min_by(|a, b| a.1.total_cmp(&b.1)).copied()?;
        let (_, us) = *self.us.iter().find(|(other, _)| *other == choice)?;
        Some(Measured {
            choice,
            us,
            next: Some(next),
        })
    }
}

/// Runs a compiled network for about `share`, and notes what the nodes of each problem took.
fn measure(
    compiled: Compiled,
    threads: usize,
    evicted: &[u8],
    share: Duration,
    problems: &mut BTreeMap<String, Trials>,
) -> Result<(), TuneError> {
    let begin = Instant::now();
    let decisions = compiled.decisions.clone();
    let model = compiled.model()?;
    let mut session = model.session(threads)?;
    let mut shortest: HashMap<String, f64> = HashMap::new();
    // The first run also maps memory and starts threads: it does not count.
    feed(&mut session)?;
    session.run()?;
    for run in 0..RUNS[1] {
        if run >= RUNS[0] && begin.elapsed() > share {
            break;
        }
        evict(evicted, threads);
        feed(&mut session)?;
        for (label, us) in times(&mut session)? {
            let best = shortest.entry(label).or_insert(us);
            *best = best.min(us);
        }
    }
    // Of nodes that share a problem, the mean.
    let mut sums: HashMap<&str, (Choice, f64, f64)> = HashMap::new();
    for (label, decision) in &decisions {
        if let Some(us) = shortest.get(label) {
            let sum = sums.entry(&decision.problem);
            let (_, total, count) = sum.or_insert((decision.taken, 0.0, 0.0));
            *total += us;
            *count += 1.0;
        }
    }
    for (problem, (choice, total, count)) in sums {
        if let Some(trials) = problems.get_mut(problem) {
            trials.note(choice, total / count);
        }
    }
    Ok(())
}

/// The time of each node's steps, in microseconds.
fn times(session: &mut Session) -> Result<HashMap<String, f64>, RunError> {
    let durations = session.run_profiled()?;
    let steps = &session.model().program().steps;
    let mut times = HashMap::new();
    for (step, duration) in steps.iter().zip(durations) {
        *times.entry(step.label.clone()).or_insert(0.0) += duration.as_secs_f64() * 1e6;
    }
    Ok(times)
}

/// Writes every input: zeros, which are valid wherever an input is an index. No kernel's time depends on values.
fn feed(session: &mut Session) -> Result<(), RunError> {
    let model = session.model().clone();
    for port in &model.program().inputs {
        let dims = model.program().upper_dims(&port.operand);
        let shape: Vec<usize> = dims.into_iter().map(|d| d as usize).collect();
        let bytes = vec![0; shape.iter().product::<usize>() * port.operand.dtype.size()];
        if let Some(zeros) = TensorView::from_bytes(port.operand.dtype, &shape, &bytes) {
            session.set_input(&port.name, zeros)?;
        }
    }
    Ok(())
}

/// Has as many threads as will run walk over memory until their caches hold nothing else.
fn evict(memory: &[u8], threads: usize) {
    let walk = || {
        let lines = black_box(memory).iter().step_by(CACHE_LINE);
        black_box(lines.map(|byte| u64::from(*byte)).sum::<u64>());
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(walk);
        }
        walk();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials of these choices, the estimate's first, with their times.
    fn trials(times: &[(&str, f64)]) -> Trials {
        let mut trials = Trials::default();
        for (choice, us) in times {
            trials.note(choice.parse().unwrap(), *us);
        }
        trials
    }

    fn verdict(times: &[(&str, f64)]) -> String {
        match trials(times).verdict() {
            Some(Measured { choice, us, next }) => {
                let (next, next_us) = next.unwrap();
                format!("{choice} {us}; {next} {next_us}")
            }
            None => "nothing to choose".to_string(),
        }
    }

    const A: &str = "direct block=14x2 order=groups";
    const B: &str = "direct block=31x1 order=groups";
    const C: &str = "winograd f4 strip=1x14 parts=1";

    #[test]
    fn another_choice_must_be_clearly_quicker() {
        let close = [(A, 100.0), (B, 99.0), (C, 120.0)];
        assert_eq!(verdict(&close), format!("{A} 100; {B} 99"));
        let clear = [(A, 100.0), (B, 99.0), (C, 90.0)];
        assert_eq!(verdict(&clear), format!("{C} 90; {B} 99"));
        assert_eq!(verdict(&[(A, 100.0)]), "nothing to choose");
    }

    #[test]
    fn the_shortest_time_of_a_choice_counts() {
        let again = [(A, 100.0), (B, 90.0), (A, 80.0)];
        assert_eq!(verdict(&again), format!("{A} 80; {B} 90"));
    }
}
