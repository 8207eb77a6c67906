//! Opens and executes the artefacts that cnnc compiles.
//!
//! An artefact holds native code, packed constants, a memory plan and a list of steps ([`artifact`] describes the file). Opening
//! one is a check and a map, not a compilation: no graph, no protobuf and no compiler is part of this crate.
//!
//! ```no_run
//! use cnnc_runtime::{Model, TensorView};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::open("resnet50.bin")?;   // shared: clone it, send it to other threads
//! let mut session = model.session(0)?;        // memory and threads of its own; 0: every processor at hand
//!
//! // With copies in and out:
//! let image = vec![0.5f32; 3 * 224 * 224];
//! let input = TensorView::new(&[1, 3, 224, 224], &image).ok_or("wrong number of pixels")?;
//! for (name, tensor) in session.run_with(&[("image", input)])? {
//!     println!("{name}: {tensor:?}");
//! }
//!
//! // Without:
//! session.input_mut::<f32>("image")?.copy_from(&image)?;
//! session.run()?;
//! let scores = session.output::<f32>("scores")?;
//! println!("{:?}", scores.as_slice());
//! # Ok(())
//! # }
//! ```
//!
//! # Training
//! A training step (`cnnc compile NET.cnn --train -o step.bin`) is a program with states: parameters, slots of the optimiser, running
//! statistics. A new session holds their first values; a run leaves the next ones, in place, for the run after it. What it reads besides are
//! the network's inputs, `targets`, the learning `rate`, and `step`, the number of the step from 1 on; it yields `loss` and `scores`. `examples/train_step.rs` is a whole loop.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (images, labels) = (vec![0f32; 32 * 784], vec![0i64; 32]);
//! let mut session = cnnc_runtime::Model::open("step.bin")?.session(0)?;
//! for step in 1..=1000 {
//!     session.input_mut::<f32>("image")?.copy_from(&images)?;
//!     session.input_mut::<i64>("targets")?.copy_from(&labels)?;
//!     session.input_mut::<f32>("rate")?.copy_from(&[1e-3])?;
//!     session.input_mut::<f32>("step")?.copy_from(&[step as f32])?;
//!     session.run()?;
//!     println!("{}", session.output::<f32>("loss")?.to_vec()[0]);
//! }
//! let learnt = session.fetch_state("conv1.weight")?; // and back with `set_state`; `reset_states` begins again
//! # let _ = learnt;
//! # Ok(())
//! # }
//! ```
//!
//! The evaluation of a network is a program of its own, in a file of its own, whose constants are what was learnt.
//!
//! # What can be relied on
//! * The same inputs give the same bits, whatever the number of threads.
//! * Wrong input is an error value that names what was expected and what was found; so is lack of memory.
//! * Floating point is IEEE 754: subnormal numbers are never flushed to zero, the mode of a thread is never changed.
//! * Sessions do not wait for each other: run them from many threads, inside rayon, one inside the other.
//! * `unsafe` lives in `map`, `arena`, `team`, `execute` and `call` only. A model is native code: open what you trust.

mod abi;
mod arena;
pub mod artifact;
mod call;
mod cpu;
mod dtype;
mod error;
mod execute;
mod map;
mod math;
mod model;
mod operands;
pub mod portable;
mod program;
mod session;
mod strided;
mod team;
mod tensor;
pub mod wire;

pub use abi::{Env, MathFn, MathSignature, NativeFn, SPACE_ALIGN, TAIL_BYTES};
pub use artifact::{ArtifactWriter, FormatError};
pub use call::Code;
pub use cpu::CpuLevel;
pub use dtype::{Bool, DType, Element};
pub use error::{KernelError, RunError};
pub use execute::Span;
pub use map::{Buffer, map_whole};
pub use model::Model;
pub use portable::Portable;
pub use program::{
    Extent, ExtentSlot, Initial, Location, Operand, Port, Program, ProgramError, Space, Step,
    StepKind,
};
pub use session::{Session, SessionOptions};
pub use team::available_threads;
pub use tensor::{Tensor, TensorMut, TensorRef, TensorView};
