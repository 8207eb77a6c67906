//! A program: what there is to feed and to fetch, how much memory it takes, and the steps in order.
//!
//! This is plain data. The compiler fills it in, [`Wire`](crate::wire::Wire) carries it through a file, `check` proves that every
//! operand lies inside its space, and the session walks it. A program holds no code and no constants: steps refer to
//! generated functions by number and to constants by their offset in the weights.

mod check;
mod show;

use crate::cpu::CpuLevel;
use crate::dtype::DType;
use crate::portable::Portable;
use crate::wire::{Reader, Wire, WireError, Writer, wire_enum, wire_list, wire_struct};

pub(crate) use check::ByteRange;
pub use check::ProgramError;

/// Everything a session needs to know to run, except code and constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The model's name, for messages.
    pub name: String,
    /// The compiler and its version.
    pub producer: String,
    /// The instructions the generated code uses.
    pub cpu: CpuLevel,
    /// What a user feeds. Every port lies in the arena.
    pub inputs: Vec<Port>,
    /// What a user fetches. Ports lie in any space: an output may be a constant or a state.
    pub outputs: Vec<Port>,
    /// Named buffers that outlive a run. Every port lies in the state.
    pub states: Vec<Port>,
    /// What states hold before the first run, in the order of [`Program::states`]; those that are not named hold zeros.
    pub initials: Vec<Initial>,
    /// Bytes of the arena, shared by all threads; zero at first.
    pub arena_bytes: u64,
    /// Bytes of scratch memory for each thread; of undefined contents.
    pub scratch_bytes: u64,
    /// Bytes of all states.
    pub state_bytes: u64,
    /// The extents that are known at run time only.
    pub extents: Vec<ExtentSlot>,
    /// What a run does, in order.
    pub steps: Vec<Step>,
}

wire_struct!(Program {
    name,
    producer,
    cpu,
    inputs,
    outputs,
    states,
    initials,
    arena_bytes,
    scratch_bytes,
    state_bytes,
    extents,
    steps,
});

/// A named operand that a user reads or writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    pub name: String,
    pub operand: Operand,
}

wire_struct!(Port { name, operand });

/// The first value of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// Its number in [`Program::states`].
    pub state: u32,
    /// Where its elements lie in the weights, row-major without gaps; a multiple of their size.
    pub offset: u64,
}

wire_struct!(Initial { state, offset });

/// A strided view of typed elements. Where an extent is a slot, strides are those of the layout at the upper bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    pub dtype: DType,
    pub dims: Vec<Extent>,
    /// One a dimension, in elements.
    pub strides: Vec<i64>,
    /// The first element.
    pub location: Location,
}

wire_struct!(Operand {
    dtype,
    dims,
    strides,
    location
});

/// An extent of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    Fixed(u64),
    /// The value of this slot of [`Program::extents`] at run time.
    Slot(u32),
}

wire_enum!(Extent "extent" { 0 => Fixed(n), 1 => Slot(index) });

/// An extent that is known at run time only. It starts at `upper`; feeding an input or running a step sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtentSlot {
    pub name: String,
    /// The largest value; memory is planned for it.
    pub upper: u64,
}

wire_struct!(ExtentSlot { name, upper });

/// The address of an operand's first element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    pub space: Space,
    /// Bytes from the start of the space; a multiple of the element's size.
    pub offset: u64,
}

wire_struct!(Location { space, offset });

/// The memory an operand lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The session's working memory.
    Arena,
    /// Constants, shared by all sessions of a model.
    Weights,
    /// Named buffers of the session.
    State,
}

wire_enum!(Space "space" { 0 => Arena, 1 => Weights, 2 => State });

/// One step of a run. A step starts when every thread is done with the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it computes, for messages and profiles.
    pub label: String,
    pub kind: StepKind,
}

wire_struct!(Step { label, kind });

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// Calls generated function `entry` on ranges that together are `0..chunks`, from any thread, in any order.
    Native { entry: u32, chunks: u64 },
    /// Runs a kernel of this crate. Outputs overlap neither inputs nor each other.
    Portable {
        kernel: Portable,
        /// In the operator's order; `None` where an optional one is absent.
        inputs: Vec<Option<Operand>>,
        outputs: Vec<Option<Operand>>,
    },
    /// Runs one of two lists.
    If {
        /// One element of type bool.
        condition: Operand,
        then_steps: Vec<Step>,
        else_steps: Vec<Step>,
    },
    /// Runs `body` again and again. Values carried from one iteration to the next live in buffers that the body's own steps
    /// copy to.
    Loop {
        /// One i64, read once before the first iteration: the largest number of iterations.
        trip: Option<Operand>,
        /// One bool, read before each iteration: false ends the loop.
        condition: Option<Operand>,
        /// One i64: the number of the iteration, written before each.
        counter: Option<Operand>,
        body: Vec<Step>,
    },
}

wire_enum!(StepKind "step" {
    0 => Native { entry, chunks },
    1 => Portable { kernel, inputs, outputs },
    2 => If { condition, then_steps, else_steps },
    3 => Loop { trip, condition, counter, body },
});

wire_list!(Port, Initial, ExtentSlot, Extent, Option<Operand>);

impl Wire for Vec<Step> {
    fn encode(&self, w: &mut Writer) {
        w.list(self);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.nested(Reader::list)
    }
}

impl Program {
    /// The extents of `operand` at the upper bounds; a slot that does not exist counts as 0.
    pub fn upper_dims(&self, operand: &Operand) -> Vec<u64> {
        let upper = |dim: &Extent| match *dim {
            Extent::Fixed(n) => n,
            Extent::Slot(slot) => self.extents.get(slot as usize).map_or(0, |s| s.upper),
        };
        operand.dims.iter().map(upper).collect()
    }
}

impl Operand {
    /// Elements in row-major order without gaps, all extents known.
    pub fn dense(dtype: DType, dims: &[u64], location: Location) -> Operand {
        let mut strides = vec![1i64; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis].wrapping_mul(dims[axis].max(1) as i64);
        }
        Operand {
            dtype,
            dims: dims.iter().map(|&n| Extent::Fixed(n)).collect(),
            strides,
            location,
        }
    }
}
