//! A team of threads that work on one job together, with barriers inside it.
//!
//! A run is one parallel region: every member walks the whole list of steps, and between steps all meet at a barrier. Whoever
//! waits spins first (a barrier then takes a fraction of a microsecond) and parks at last. A team larger than the
//! number of processors never spins: the one it waits for may need the very processor.
//!
//! A member that panics poisons the barrier, so that the others leave the job rather than wait for ever. Each session has a
//! team of its own: sessions cannot wait for each other, whatever runs inside whatever.
#![allow(unsafe_code)]

mod gate;

use gate::{Gate, Patience};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The number of processors this process may really use: its affinity mask and cgroup quota (v1 and v2) have their say.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The barrier was poisoned by a panic of another member.
#[derive(Debug)]
pub(crate) struct Poisoned;

/// A member panicked during the job.
#[derive(Debug)]
pub(crate) struct Panicked;

/// What a member knows during a job.
pub(crate) struct Member<'a> {
    /// 0 is the thread that called [`Team::run`].
    pub(crate) index: usize,
    pub(crate) size: usize,
    barrier: &'a Barrier,
}

impl Member<'_> {
    /// Waits for all members. The last to arrive does `last` before anybody goes on.
    pub(crate) fn barrier(&self, last: impl FnOnce()) -> Result<(), Poisoned> {
        match self.size {
            1 => {
                last();
                Ok(())
            }
            _ => self.barrier.wait(last),
        }
    }
}

struct Barrier {
    size: usize,
    patience: Patience,
    arrived: AtomicUsize,
    poisoned: AtomicBool,
    gate: Gate,
}

impl Barrier {
    fn wait(&self, last: impl FnOnce()) -> Result<(), Poisoned> {
        // Read before `poisoned`: a poisoning after this moment moves the gate and ends the wait.
        let before = self.gate.position();
        if self.poisoned.load(Ordering::SeqCst) {
            return Err(Poisoned);
        }
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.store(0, Ordering::Relaxed);
            last();
            self.gate.advance();
        } else {
            self.gate.wait(before, self.patience);
        }
        match self.poisoned.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(Poisoned),
        }
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::SeqCst);
        self.gate.advance();
    }
}

/// A job whose lifetime is erased; see [`Team::run`].
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(&Member<'_>) + Sync));

// SAFETY: what it points to is `Sync`, so any thread may call it.
unsafe impl Send for Job {}

struct Shared {
    barrier: Barrier,
    job: Mutex<Option<Job>>,
    /// Moves when there is a job, or nothing more to come.
    start: Gate,
    /// Moves when the last worker has left the job.
    finish: Gate,
    working: AtomicUsize,
    quit: AtomicBool,
}

impl Shared {
    /// Does `job` as one member; a panic ends in the barrier's poison.
    fn take_part(&self, index: usize, job: &(dyn Fn(&Member<'_>) + Sync)) {
        let member = Member {
            index,
            size: self.barrier.size,
            barrier: &self.barrier,
        };
        if catch_unwind(AssertUnwindSafe(|| job(&member))).is_err() {
            self.barrier.poison();
        }
    }

    fn serve(&self, index: usize, mut seen: u32) {
        loop {
            self.start.wait(seen, self.barrier.patience);
            seen = self.start.position();
            if self.quit.load(Ordering::SeqCst) {
                return;
            }
            let job = *self.job.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Job(job)) = job {
                // SAFETY: `Team::run` does not return before `working` is 0, so what it borrowed is alive.
                self.take_part(index, unsafe { &*job });
            }
            if self.working.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.finish.advance();
            }
        }
    }
}

/// Threads that wait for jobs. The calling thread is a member too: a team of one has no thread of its own.
pub(crate) struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Team {
    /// Starts `size - 1` threads; the error carries the index of the one that could not be started.
    pub(crate) fn new(size: usize) -> Result<Team, (usize, io::Error)> {
        let size = size.max(1);
        let shared = Arc::new(Shared {
            barrier: Barrier {
                size,
                patience: Patience::of_team(size),
                arrived: AtomicUsize::new(0),
                poisoned: AtomicBool::new(false),
                gate: Gate::default(),
            },
            job: Mutex::new(None),
            start: Gate::default(),
            finish: Gate::default(),
            working: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
        });
        let mut team = Team {
            shared,
            workers: Vec::new(),
        };
        for index in 1..size {
            let shared = Arc::clone(&team.shared);
            let position = shared.start.position();
            let worker = std::thread::Builder::new()
                .name(format!("cnnc-{index}"))
                .spawn(move || shared.serve(index, position));
            team.workers.push(worker.map_err(|error| (index, error))?);
        }
        Ok(team)
    }

    pub(crate) fn size(&self) -> usize {
        self.shared.barrier.size
    }

    /// Has every member do `job` once and waits for all of them.
    pub(crate) fn run(&mut self, job: &(dyn Fn(&Member<'_>) + Sync)) -> Result<(), Panicked> {
        let shared = &*self.shared;
        shared.barrier.arrived.store(0, Ordering::Relaxed);
        shared.barrier.poisoned.store(false, Ordering::SeqCst);
        if self.workers.is_empty() {
            shared.take_part(0, job);
        } else {
            // SAFETY: only the lifetime changes. Workers use the pointer until `working` is 0, and this call outlasts that: nothing
            // between here and the wait below can unwind.
            let erased = unsafe {
                std::mem::transmute::<
                    &(dyn Fn(&Member<'_>) + Sync),
                    &'static (dyn Fn(&Member<'_>) + Sync),
                >(job)
            };
            let done = shared.finish.position();
            *shared.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(Job(erased));
            shared.working.store(self.workers.len(), Ordering::Release);
            shared.start.advance();
            shared.take_part(0, job);
            shared.finish.wait(done, shared.barrier.patience);
            *shared.job.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        match shared.barrier.poisoned.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(Panicked),
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::SeqCst);
        self.shared.start.advance();
        for worker in self.workers.drain(..) {
            // A worker catches what its jobs throw: it ends, one way or the other.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn members_meet_at_every_barrier() {
        for size in [1, 2, 3, 8] {
            let mut team = Team::new(size).unwrap();
            for _ in 0..20 {
                let arrivals = AtomicU64::new(0);
                let resets = AtomicU64::new(0);
                team.run(&|member| {
                    for round in 1..=50 {
                        arrivals.fetch_add(1, Ordering::SeqCst);
                        member
                            .barrier(|| {
                                resets.fetch_add(1, Ordering::SeqCst);
                            })
                            .unwrap();
                        assert_eq!(arrivals.load(Ordering::SeqCst), round * size as u64);
                        member.barrier(|| {}).unwrap();
                    }
                })
                .unwrap();
                assert_eq!(resets.into_inner(), 50);
            }
        }
    }

    #[test]
    fn a_panic_is_an_error_and_the_team_lives_on() {
        for culprit in 0..3 {
            let mut team = Team::new(3).unwrap();
            let result = team.run(&|member| {
                if member.index == culprit {
                    std::panic::resume_unwind(Box::new("as arranged"));
                }
                while member.barrier(|| {}).is_ok() {}
            });
            assert!(result.is_err());
            let count = AtomicU64::new(0);
            team.run(&|member| {
                count.fetch_add(1, Ordering::SeqCst);
                member.barrier(|| {}).unwrap();
            })
            .unwrap();
            assert_eq!(count.into_inner(), 3);
        }
    }

    #[test]
    fn parked_members_wake_up() {
        let mut team = Team::new(2).unwrap();
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let count = AtomicU64::new(0);
            team.run(&|_| {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap();
            assert_eq!(count.into_inner(), 2);
        }
    }
}
