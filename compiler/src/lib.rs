//! cnnc, the compiler: ONNX or a native description in, one artefact of native code out.
//!
//! The stages, left to right; a module imports only to its left:
//! `frontend | order | passes | statistics < schedule < memory < kernel < select < codegen < emit < compile < tune | train | style < cli`.

pub mod cli;
pub mod codegen;
pub mod compile;
pub mod emit;
pub mod frontend;
pub mod kernel;
pub mod memory;
pub mod order;
pub mod passes;
pub mod schedule;
pub mod select;
pub mod statistics;
pub mod style;
pub mod train;
pub mod tune;
