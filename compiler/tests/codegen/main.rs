//! Machine code against the interpreter: loop nests of every class, tile plans, element types, plain and blocked layouts, one
//! thread and several.

mod chain;
mod code;
mod contractions;
mod elementwise;
mod extents;
mod harness;
mod layout;
mod listings;
mod movements;
mod numbers;
mod reductions;
mod scalars;
mod tiles;
mod winograd;
