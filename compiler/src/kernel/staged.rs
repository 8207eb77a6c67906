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
//! where a place is the operand, moved by the strip's offset, the scratch memory, or constants of the plan's own. Offsets are bytes.

use super::tile::Microkernel;
use std::collections::HashMap;
use std::fmt;

/// See the module's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub weights: i64,
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
    /// What transforms read beside their patches.
    Constants = 2,
    /// The weights' operand, for a pointer that is not the weights'.
    Weights = 3,
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

    pub fn weights(offset: i64, step: i64) -> Moving {
        Moving {
            place: StagePlace::Weights,
            offset,
            step,
        }
    }

    /// Constants do not move.
    pub fn constants(offset: i64) -> Moving {
        Moving {
            place: StagePlace::Constants,
            offset,
            step: 0,
        }
    }
}

/// A round of a program under construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repeated {
    pub times: usize,
    pub calls: Vec<StageCall>,
}

/// A staged plan under construction: equal kernels and equal programs are kept once.
#[derive(Default)]
pub struct StagedBuilder {
    plan: StagedPlan,
    kernels: HashMap<Microkernel, u32>,
    programs: HashMap<Vec<Repeated>, u32>,
}

impl StagedBuilder {
    /// The number of a microkernel.
    pub fn kernel(&mut self, kernel: impl Into<Microkernel>) -> u32 {
        let kernel = kernel.into();
        let next = self.plan.kernels.len() as u32;
        let index = *self.kernels.entry(kernel.clone()).or_insert(next);
        if index == next {
            self.plan.kernels.push(kernel);
        }
        index
    }

    /// Appends a strip for each of the offsets `[input, output]`, all with the same program and weights.
    pub fn strips(&mut self, program: Vec<Repeated>, offsets: impl IntoIterator<Item = [i64; 2]>) {
        let same_weights = |[input, output]: [i64; 2]| [input, 0, output];
        self.strips_with_weights(program, offsets.into_iter().map(same_weights));
    }

    /// Appends a strip for each of the offsets `[input, weights, output]`, all with the same program.
    pub fn strips_with_weights(
        &mut self,
        program: Vec<Repeated>,
        offsets: impl IntoIterator<Item = [i64; 3]>,
    ) {
        let StagedPlan {
            calls,
            rounds,
            strips,
            ..
        } = &mut self.plan;
        let count = program.len() as u32;
        let first = *self.programs.entry(program).or_insert_with_key(|program| {
            let first = rounds.len() as u32;
            for round in program {
                rounds.push(Round {
                    first: calls.len() as u32,
                    count: round.calls.len() as u32,
                    repeat: round.times as u32,
                });
                calls.extend_from_slice(&round.calls);
            }
            first
        });
        strips.extend(offsets.into_iter().map(|[input, weights, output]| Strip {
            first,
            count,
            input,
            weights,
            output,
        }));
    }

    /// The plan, whose programs need so many bytes of scratch memory.
    pub fn finish(self, scratch: u64) -> StagedPlan {
        StagedPlan {
            scratch,
            ..self.plan
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
