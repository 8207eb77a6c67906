//! A staged plan: an operator done strip by strip, each strip in several stages whose intermediate results stay in the cache.
//!
//! A strip is one unit of parallel work. It runs a program: rounds of calls of microkernels, repeated with moving pointers. Between
//! the stages values lie in the thread's own scratch memory. Strips of the same kind share one program and differ in the offsets
//! added to the operands:
//!
//! ```text
//! for round in program:
//!     for k in 0..round.repeat:
//!         for call in round:
//!             kernels[call.kernel](
//!                 place(call.input) + k * step, weights + .., place(call.output) + .., bias + .., residual + ..)
//! ```
//!
//! where a place is the operand, moved by the strip's offset, or the scratch memory. Offsets are bytes.

use super::tile::Microkernel;
use std::fmt;

/// See the module's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedPlan {
    /// Distinct microkernels.
    pub kernels: Vec<Microkernel>,
    pub calls: Vec<StageCall>,
    /// All programs, one behind the other.
    pub rounds: Vec<Round>,
    pub strips: Vec<Strip>,
    /// Scratch memory a thread needs, in bytes.
    pub scratch: u64,
}

/// One unit of parallel work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strip {
    /// Its program: `rounds[first..first + count]`.
    pub first: u32,
    pub count: u32,
    pub input: i64,
    /// Also of the residual.
    pub output: i64,
}

/// Repeated calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Round {
    /// `calls[first..first + count]`.
    pub first: u32,
    pub count: u32,
    pub repeat: u32,
}

/// A call of a microkernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageCall {
    pub kernel: u32,
    pub input: Moving,
    pub weights: Moving,
    /// The residual moves alike.
    pub output: Moving,
    pub bias: Moving,
}

/// A pointer that moves from repetition to repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moving {
    pub place: StagePlace,
    pub offset: i64,
    pub step: i64,
}

/// What an offset counts from. The numbers are those of generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StagePlace {
    /// The operand itself.
    Operand = 0,
    Scratch = 1,
}

impl Moving {
    pub fn operand(offset: i64, step: i64) -> Moving {
        Moving {
            place: StagePlace::Operand,
            offset,
            step,
        }
    }

    pub fn scratch(offset: i64, step: i64) -> Moving {
        Moving {
            place: StagePlace::Scratch,
            offset,
            step,
        }
    }
}

impl fmt::Display for StagedPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "staged plan {} strips, {} rounds, {} calls, {} bytes of scratch",
            self.strips.len(),
            self.rounds.len(),
            self.calls.len(),
            self.scratch
        )?;
        self.kernels
            .iter()
            .try_for_each(|kernel| write!(f, "{kernel}"))
    }
}
