//! A counter that threads wait on: spin, yield, park.

use crate::team::available_threads;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::yield_now;

/// How long to try before parking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    spins: u32,
    yields: u32,
}

impl Patience {
    /// Parking and waking take tens of microseconds, about as long as these tries take together.
    pub(super) fn of_team(size: usize) -> Patience {
        match size <= available_threads() {
            true => Patience {
                spins: 4000,
                yields: 100,
            },
            false => Patience {
                spins: 0,
                yields: 4,
            },
        }
    }
}

/// A position that only moves forward (and around).
#[derive(Default)]
pub(super) struct Gate {
    position: AtomicU32,
    sleepers: AtomicU32,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Gate {
    pub(super) fn position(&self) -> u32 {
        self.position.load(Ordering::SeqCst)
    }

    /// Moves on and wakes whoever waits.
    pub(super) fn advance(&self) {
        self.position.fetch_add(1, Ordering::SeqCst);
        // Either this load sees a sleeper, or the sleeper, who counts itself before it looks, sees the new position.
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.moved.notify_all();
        }
    }

    /// Returns once the position is not `before`.
    pub(super) fn wait(&self, before: u32, patience: Patience) {
        for _ in 0..patience.spins {
            if self.position() != before {
                return;
            }
            spin_loop();
        }
        for _ in 0..patience.yields {
            if self.position() != before {
                return;
            }
            yield_now();
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.position() == before {
            lock = self
                .moved
                .wait(lock)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(lock);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
