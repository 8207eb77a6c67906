//! Compute kernels: from the geometry of an operator to machine code that runs it.
//!
//! [`tile`] describes and assembles the innermost block of multiply-adds. [`conv`], [`transposed`], [`depthwise`], [`pool`],
//! [`planar`], [`filter`] and [`matmul`] cut a whole operator into calls of a few such tiles; what they make is a [`plan::Plan`], plain data
//! that the code generator turns into a loop. [`winograd`] and [`chain`] make a [`staged::StagedPlan`], whose intermediate results
//! stay in the cache. What they are free to choose is a [`choice::Choice`]. [`nest`] describes everything that is not a hot tile
//! as loops over affine addresses.
//! Deliberately absent: which operator gets which plan (`select`), and memory (`memory::view`): a plan's offsets are
//! relative to the operands.

pub mod blocking;
pub mod chain;
pub mod choice;
pub mod conv;
pub mod depthwise;
pub mod filter;
pub mod matmul;
pub mod nest;
pub mod packing;
pub mod placement;
pub mod plan;
pub mod planar;
pub mod pool;
pub mod reduction;
pub mod staged;
pub mod tile;
pub mod transposed;
pub mod unpool;
pub mod winograd;
