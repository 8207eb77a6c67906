//! A run: every member of the team walks the step list; the chunks of a generated function are shared out as they come.
//!
//! Chunks are taken from one counter, a few at a time, so that a thread that is descheduled holds up little. Which thread does
//! a chunk has no influence on its result: outputs are the same bits for any number of threads. Portable kernels run on
//! thread 0 while the others wait.
#![allow(unsafe_code)]

use crate::abi::Env;
use crate::arena::Spaces;
use crate::call::Functions;
use crate::error::{KernelError, RunError};
use crate::program::{Operand, Program, Step, StepKind};
use crate::team::{Member, Poisoned, Team};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What all members share during a run.
pub(crate) struct Run<'a> {
    program: &'a Program,
    functions: &'a Functions,
    spaces: Spaces<'a>,
    /// The next chunk of the current step that nobody has taken.
    next: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<RunError>>,
    /// What each member did in each top-level step, where asked for.
    lanes: Option<Vec<Mutex<Vec<Span>>>>,
}

/// One thread's part in one step. Times count from the beginning of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: Duration,
    /// When this thread had done its share, and began to wait for the others.
    pub done: Duration,
    /// When all had.
    pub end: Duration,
}

/// The run is over before its end: an error was recorded or another member panicked.
struct Stop;

impl From<Poisoned> for Stop {
    fn from(_: Poisoned) -> Stop {
        Stop
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        program: &'a Program,
        functions: &'a Functions,
        spaces: Spaces<'a>,
        lanes: usize,
    ) -> Run<'a> {
        Run {
            program,
            functions,
            spaces,
            next: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            lanes: (lanes > 0).then(|| (0..lanes).map(|_| Mutex::default()).collect()),
        }
    }

    /// Runs the program with `team`; for as many of its members as were asked for, what they did in the top-level steps.
    pub(crate) fn execute(self, team: &mut Team) -> Result<Vec<Vec<Span>>, RunError> {
        let begin = Instant::now();
        let done = team.run(&|member| {
            let env = self.spaces.env(member.index, &self.functions.math);
            let walk = Walk {
                run: &self,
                member,
                env,
                begin,
                idle_since: Cell::new(Duration::ZERO),
            };
            // A stop has left its reason in `failure` or in the team.
            let _ = walk.program();
        });
        let failure = self
            .failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match (failure, done) {
            (Some(error), _) => Err(error),
            (None, Err(_)) => Err(RunError::Panicked),
            (None, Ok(())) => {
                let lanes = self.lanes.into_iter().flatten();
                Ok(lanes
                    .map(|lane| lane.into_inner().unwrap_or_else(PoisonError::into_inner))
                    .collect())
            }
        }
    }

    fn fail(&self, step: &Step, source: KernelError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(RunError::Step {
            step: step.label.clone(),
            source,
        });
        self.failed.store(true, Ordering::Release);
    }
}

/// One member's way through the program.
struct Walk<'r, 'a> {
    run: &'r Run<'a>,
    member: &'r Member<'r>,
    env: Env,
    begin: Instant,
    /// When this member had last done its share of a step; kept where lanes are.
    idle_since: Cell<Duration>,
}

impl<'a> Walk<'_, 'a> {
    fn program(&self) -> Result<(), Stop> {
        let steps = &self.run.program.steps;
        let Some(lane) = self.lane() else {
            return self.steps(steps);
        };
        let mut spans = Vec::with_capacity(steps.len());
        let mut start = self.begin.elapsed();
        for step in steps {
            self.step(step)?;
            let (done, end) = (self.idle_since.get(), self.begin.elapsed());
            spans.push(Span { start, done, end });
            start = end;
        }
        *lane.lock().unwrap_or_else(PoisonError::into_inner) = spans;
        Ok(())
    }

    fn lane(&self) -> Option<&Mutex<Vec<Span>>> {
        self.run.lanes.as_ref()?.get(self.member.index)
    }

    fn steps(&self, steps: &'a [Step]) -> Result<(), Stop> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&self, step: &'a Step) -> Result<(), Stop> {
        match &step.kind {
            StepKind::Native { entry, chunks } => {
                self.native(*entry, *chunks);
                self.meet()
            }
            StepKind::Portable { .. } => {
                if self.member.index == 0 {
                    self.portable(step);
                }
                self.meet()
            }
            StepKind::If {
                condition,
                then_steps,
                else_steps,
            } => match self.read::<u8>(step, condition)? {
                0 => self.steps(else_steps),
                _ => self.steps(then_steps),
            },
            StepKind::Loop { .. } => self.iterate(step),
        }
    }

    fn native(&self, entry: u32, chunks: u64) {
        if self.member.size == 1 {
            return self.run.functions.call(entry, &self.env, 0, chunks);
        }
        // About eight turns a thread: fine enough to even out, coarse enough for the counter's cache line.
        let grain = (chunks / (8 * self.member.size as u64)).max(1);
        loop {
            let lo = self.run.next.fetch_add(grain, Ordering::Relaxed);
            if lo >= chunks {
                return;
            }
            let hi = lo.saturating_add(grain).min(chunks);
            self.run.functions.call(entry, &self.env, lo, hi);
        }
    }

    fn portable(&self, step: &'a Step) {
        let StepKind::Portable {
            kernel,
            inputs,
            outputs,
        } = &step.kind
        else {
            return;
        };
        // SAFETY: only member 0 comes here, the others wait at the barrier behind this step; the last step's operands are gone.
        // The program was checked when the model was opened: outputs overlap nothing.
        let operands = unsafe { self.run.spaces.operands(inputs, outputs) };
        if let Err(error) = operands.and_then(|mut operands| kernel.run(&mut operands)) {
            self.run.fail(step, error);
        }
    }

    /// `trip` and `condition` are read by every member before anybody goes on, so all take the same way.
    fn iterate(&self, step: &'a Step) -> Result<(), Stop> {
        let StepKind::Loop {
            trip,
            condition,
            counter,
            body,
        } = &step.kind
        else {
            return Ok(());
        };
        let limit = match trip {
            Some(trip) => self.read::<i64>(step, trip)?,
            None => i64::MAX,
        };
        for iteration in 0..limit {
            if let Some(condition) = condition
                && self.read::<u8>(step, condition)? == 0
            {
                break;
            }
            if let (0, Some(counter)) = (self.member.index, counter) {
                // SAFETY: the others wait at the barrier below.
                if let Err(error) = unsafe { self.run.spaces.write(counter, iteration) } {
                    self.run.fail(step, error);
                }
            }
            self.meet()?;
            self.steps(body)?;
        }
        Ok(())
    }

    /// Reads a scalar that steers, in all members alike.
    fn read<T: bytemuck::Pod>(&self, step: &Step, operand: &Operand) -> Result<T, Stop> {
        // SAFETY: every member reads between two barriers; nobody writes.
        let value = unsafe { self.run.spaces.read(operand) };
        if let Err(error) = &value {
            self.run.fail(step, error.clone());
        }
        self.meet()?;
        value.map_err(|_| Stop)
    }

    /// The end of a step: everybody arrives, the counter starts anew, and nobody goes on after an error.
    fn meet(&self) -> Result<(), Stop> {
        if self.run.lanes.is_some() {
            self.idle_since.set(self.begin.elapsed());
        }
        self.member
            .barrier(|| self.run.next.store(0, Ordering::Relaxed))?;
        match self.run.failed.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Stop),
        }
    }
}
