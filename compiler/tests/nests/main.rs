//! Loop nests as machine code against the interpreter: every class, element types, plain and blocked layouts, one thread and
//! several.

mod code;
mod contractions;
mod elementwise;
mod harness;
mod layout;
mod movements;
mod numbers;
mod reductions;
mod scalars;
