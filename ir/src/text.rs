//! The textual form of a graph: dumps, fixtures and `.cnn` files share it, and parsing what was printed gives the same graph.
//!
//! ```text
//! graph "net" (%x: f32[N,3,8,8]) {
//!   %w = const f32[2] [1.0, -0.5]                          // more than 16 elements: base64"..."
//!   %y, %i = MaxPool(%x) {kernel_shape=[2, 2]} "label" : f32[N,3,7,7], i64[N,3,7,7]
//!   %z = Conv(%x, %v, _) then [%r] { arg 0:f32; arg 1:f32; add %0 %1:f32 } : f32[N,2,8,8]:nchw8c+1,1,1,1
//!   %o = If(%c, %x) do graph "then" (%a: f32[2]) { ... } do graph "else" (%a: f32[2]) { ... } : f32[2]
//!   return "out" = %y
//! }
//! ```
//!
//! * One node a line, operands before users; `_` is an operand left out; `then` opens the epilogue with its further operands.
//! * Operators of other domains carry them (`cnnc.Map`, `com.microsoft.QLinearAdd`). Names other than `[A-Za-z0-9_.]+` are quoted.
//! * Types after the colon may be left out: they are inferred again, and a stated type that differs is an error. Layouts are taken
//!   as stated.
//! * Comments run from `//` to the end of the line.
//!
//! Deliberately absent: sugar of any kind. What a person should write less of is said in the description language of `cnnc-models`.

mod base64;
mod cursor;
mod error;
mod lex;
mod operand;
mod parse;
mod print;

pub use error::{ParseError, ParseErrors};
pub use parse::parse;
pub use print::{Style, print};

/// Bodies within bodies that the parser follows.
const DEEPEST: usize = 32;

/// Constants of up to this many elements are printed as lists.
const LISTED: usize = 16;
