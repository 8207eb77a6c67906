//! The intermediate representation of cnnc: what a network is and what it means.
//!
//! * [`types`], [`tensor`], [`attrs`], [`expr`]: the vocabulary (element types, shapes, constants, attributes, scalar expressions).
//! * [`graph`]: the program, a directed acyclic graph of operators over petgraph.
//! * [`schema`], [`class`], [`ops`]: what an operator is. One operator is one file in `ops/` and one line in its list.
//! * [`text`]: the textual form; printing and parsing are inverse.
//! * [`verify`]: the invariants every graph keeps. [`rewrite`]: patterns and patches.
//! * [`autodiff`]: gradients, as operators appended to the graph.
//! * [`interp`]: the interpreter, the oracle that compiled code is held against.
//!
//! Deliberately absent: protobuf, Cranelift, files and threads.

pub mod attrs;
pub mod autodiff;
pub mod class;
pub mod compose;
pub mod expr;
pub mod graph;
pub mod interp;
pub mod ops;
pub mod rewrite;
pub mod schema;
pub mod spelling;
pub mod tensor;
pub mod text;
pub mod types;
pub mod verify;

pub use attrs::{AttrValue, Attrs};
pub use class::Semantics;
pub use compose::Composer;
pub use expr::{Ex, ScalarExpr};
pub use graph::{Graph, NodeId, NodeKind, Value};
pub use interp::{Interpreter, Precision};
pub use ops::OpKind;
pub use schema::{Cx, OpDef, TypeError};
pub use tensor::Tensor;
pub use types::{DType, Dim, Layout, TensorType};
