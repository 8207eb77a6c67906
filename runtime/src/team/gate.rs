//! A counter that threads wait on: spin (or yield), then park.

use crate::team::available_threads;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::yield_now;

/// What to do before parking.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// Look again and again, as often as lately was worth while.
    Spin,
    /// Let others run a few times: the thread that is waited for may need this very processor.
    Yield,
}

impl Patience {
    pub(super) fn of_team(size: usize) -> Patience {
        match size <= available_threads() {
            true => Patience::Spin,
            false => Patience::Yield,
        }
    }
}

/// The most looks before parking: about as long as parking and waking take in a virtual machine (50 us).
const MOST_SPINS: u32 = 4000;

/// The fewest looks before parking.
const FEWEST_SPINS: u32 = 200;

/// Times to yield before parking.
const YIELDS: u32 = 4;

/// A position that only moves forward (and around).
///
/// The number of looks adapts: a wait that ended while spinning allows a few more the next time, a wait in vain halves them. On
/// a quiet machine threads thus hardly ever park inside a run; where other processes take the processors away, they stop
/// wasting what is left.
pub(super) struct Gate {
    position: AtomicU32,
    sleepers: AtomicU32,
    spins: AtomicU32,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            position: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            spins: AtomicU32::new(MOST_SPINS),
            lock: Mutex::new(()),
            moved: Condvar::new(),
        }
    }
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
        let passed = match patience {
            Patience::Spin => self.spin(before),
            Patience::Yield => self.try_often(before, YIELDS, yield_now),
        };
        if !passed {
            self.park(before);
        }
    }

    fn spin(&self, before: u32) -> bool {
        let spins = self.spins.load(Ordering::Relaxed);
        let passed = self.try_often(before, spins, spin_loop);
        let next = match passed {
            true => (spins + spins / 8).min(MOST_SPINS),
            false => (spins / 2).max(FEWEST_SPINS),
        };
        if next != spins {
            self.spins.store(next, Ordering::Relaxed);
        }
        passed
    }

    fn try_often(&self, before: u32, times: u32, pause: impl Fn()) -> bool {
        (0..times).any(|_| {
            let passed = self.position() != before;
            if !passed {
                pause();
            }
            passed
        })
    }

    fn park(&self, before: u32) {
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
