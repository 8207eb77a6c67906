//! SIGINT and SIGTERM: the first asks a run to end after its step, the second ends the program at once.

use super::failure::Status;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which signal came, if any.
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    pub fn listen() -> io::Result<Interrupt> {
        let (came, which) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        for signal in [SIGINT, SIGTERM] {
            // Actions run in this order: the one that ends the program looks at what an earlier signal has set.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&came))?;
            flag::register(signal, Arc::clone(&came))?;
            flag::register_usize(signal, Arc::clone(&which), signal as usize)?;
        }
        Ok(Interrupt(which))
    }

    /// Whether one came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The status that tells which.
    pub fn status(&self) -> Status {
        match self.0.load(Ordering::Relaxed) as i32 {
            SIGTERM => Status::Terminated,
            _ => Status::Interrupted,
        }
    }
}
