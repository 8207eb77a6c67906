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
    /// Time each top-level step took, where asked for.
    times: Option<Mutex<Vec<Duration>>>,
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
        profiled: bool,
    ) -> Run<'a> {
        Run {
            program,
            functions,
            spaces,
            next: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            times: profiled.then(|| Mutex::new(Vec::new())),
        }
    }

    /// Runs the program with `team`; the times of its top-level steps where asked for, else none.
    pub(crate) fn execute(self, team: &mut Team) -> Result<Vec<Duration>, RunError> {
        let done = team.run(&|member| {
            let env = self.spaces.env(member.index, &self.functions.math);
            let walk = Walk {
                run: &self,
                member,
                env,
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
                let times = self.times.map(|times| times.into_inner());
                Ok(times.map_or(Vec::new(), |t| t.unwrap_or_else(PoisonError::into_inner)))
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
}

impl<'a> Walk<'_, 'a> {
    fn program(&self) -> Result<(), Stop> {
        let mut last = Instant::now();
        for step in &self.run.program.steps {
            self.step(step)?;
            if let (0, Some(times)) = (self.member.index, &self.run.times) {
                let now = Instant::now();
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                times.push(now - std::mem::replace(&mut last, now));
            }
        }
        Ok(())
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
        self.member
            .barrier(|| self.run.next.store(0, Ordering::Relaxed))?;
        match self.run.failed.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(Stop),
        }
    }
}
