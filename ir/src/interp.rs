//! The interpreter: what a graph means, computed plainly. It is the oracle that compiled code is held against, and it folds
//! constants.
//!
//! Every node is typed again with the shapes (and small values) its operands really have, so free dimensions and extents that
//! depend on data need no care of their own; then it is evaluated by class ([`Semantics`](crate::class::Semantics)), never by name.
//!
//! Numbers: values are held as f64 (floats) or i64 (integers, bool). Under [`Precision::F32`] every scalar result is rounded to its
//! element type: exact for `+ - * /` and the square root, since f64 has more than twice the digits. Sums (reductions, convolutions,
//! products of matrices) accumulate in f64 and are rounded once, so they are closer to the truth than any kernel. Under
//! [`Precision::F64`] floats are never rounded.
//!
//! Deliberately absent: layouts (values are seen row-major whatever layout a type states), threads, and speed beyond tight loops.

mod array;
mod contract;
mod control;
mod detect;
mod elementwise;
mod erf;
mod expr;
mod index;
mod matmul;
mod movement;
mod recurrent;
mod reduce;
mod run;
mod scatter;
mod select;
mod window;

use crate::graph::{Graph, NodeId, Op};
use crate::schema::TypeError;
use crate::tensor::Tensor;
use run::Run;
use thiserror::Error;

/// How floating point results are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Precision {
    /// To their element types.
    #[default]
    F32,
    /// Not at all: every float is an f64, and results of any float type are returned as f64 tensors.
    F64,
}

/// Bounds on what a run may use, so that a hostile graph ends in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Elements of one value.
    pub elements: usize,
    /// Scalar operations, counted coarsely; bounds loops.
    pub work: u64,
    /// Bodies within bodies.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            elements: 1 << 28,
            work: 1 << 42,
            depth: 32,
        }
    }
}

/// Evaluates graphs and single operators.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpreter {
    pub precision: Precision,
    pub limits: Limits,
}

/// Why an evaluation ended without a result.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EvalError {
    #[error("input '{name}' is not given")]
    MissingInput { name: String },
    #[error("there is no input '{name}'")]
    UnknownInput { name: String },
    #[error("input '{name}' must be {expected}, is {found}")]
    Input {
        name: String,
        expected: String,
        found: String,
    },
    #[error("node '{node}': {}", describe(op, fault))]
    Node {
        node: String,
        op: &'static str,
        fault: Fault,
    },
}

/// What went wrong in a node.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    #[error(transparent)]
    Type(#[from] TypeError),
    #[error("{what} {value} is outside of [{low}, {high})")]
    OutOfRange {
        what: &'static str,
        value: i64,
        low: i64,
        high: i64,
    },
    #[error("{0}")]
    Invalid(String),
    #[error("a value of shape {shape:?} has more elements than the limit of {limit}")]
    TooLarge { shape: Vec<usize>, limit: usize },
    #[error("takes more than the limit of {limit} scalar operations")]
    TooMuchWork { limit: u64 },
    #[error("bodies are nested deeper than {limit}")]
    TooDeep { limit: usize },
    /// An error inside a body.
    #[error("{0}")]
    Body(Box<EvalError>),
}

/// A type error names the operator itself.
fn describe(op: &str, fault: &Fault) -> String {
    match fault {
        Fault::Type(e) => e.to_string(),
        other => format!("{op}: {other}"),
    }
}

impl Interpreter {
    /// An interpreter with the default limits.
    pub fn new(precision: Precision) -> Interpreter {
        Interpreter {
            precision,
            limits: Limits::default(),
        }
    }

    /// Runs the graph on inputs by name; returns its outputs in order.
    ///
    /// An input's element type must be the declared one (under [`Precision::F64`] any float type does for another), its shape
    /// must fit the declared dimensions; equal symbols must take equal values.
    pub fn run(
        &self,
        graph: &Graph,
        inputs: &[(&str, Tensor)],
    ) -> Result<Vec<(String, Tensor)>, EvalError> {
        Run::new(*self).graph_by_name(graph, inputs)
    }

    /// Evaluates one operator node (with its epilogue) on the given operands, one entry an operand slot; returns its outputs.
    pub fn eval_node(
        &self,
        graph: &Graph,
        node: NodeId,
        operands: &[Option<Tensor>],
    ) -> Result<Vec<Tensor>, EvalError> {
        let node = graph.node(node);
        match node.op() {
            Some(op) => {
                Run::new(*self).op_on_tensors(op, operands, node.outputs.len(), node.title())
            }
            None => Err(EvalError::Node {
                node: node.title().to_string(),
                op: "",
                fault: Fault::Invalid("is no operator".into()),
            }),
        }
    }

    /// Evaluates an operator on the given operands; returns `outputs` results.
    pub fn eval_op(
        &self,
        op: &Op,
        operands: &[Option<Tensor>],
        outputs: usize,
    ) -> Result<Vec<Tensor>, EvalError> {
        Run::new(*self).op_on_tensors(op, operands, outputs, op.kind.def().name)
    }
}

/// Relative and absolute distance of two results, for tests: the largest `|a - b| / (1 + |b|)` over all elements, NaN equal to NaN
/// and infinities to themselves; infinite where element counts differ.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.to_f64()
        .into_iter()
        .zip(b.to_f64())
        .map(|(x, y)| match x == y || (x.is_nan() && y.is_nan()) {
            true => 0.0,
            false => {
                let d = (x - y).abs() / (1.0 + y.abs());
                if d.is_nan() { f64::INFINITY } else { d }
            }
        })
        .fold(0.0, f64::max)
}
