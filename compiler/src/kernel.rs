//! Compute kernels: from the geometry of an operator to machine code that runs it.
//!
//! `tile` describes and assembles the innermost loops.
pub mod tile;
