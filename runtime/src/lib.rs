//! Opens and executes the artefacts that cnnc compiles.

mod abi;
mod cpu;
mod dtype;
mod math;
pub mod portable;
mod program;
pub mod wire;

pub use abi::{Env, MathFn, MathSignature, NativeFn, SPACE_ALIGN, TAIL_BYTES};
pub use cpu::CpuLevel;
pub use dtype::{Bool, DType, Element};
pub use program::{Extent, ExtentSlot, Location, Operand, Port, Program, Space, Step, StepKind};
