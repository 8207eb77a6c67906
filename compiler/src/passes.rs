//! The passes, as a list that reads top to bottom. A pass rewrites the graph and keeps its meaning; each has a before/after
//! fixture whose check also proves equality and idempotence.

mod assign_layouts;
mod decompose;
mod eliminate_common;
mod fold_batch_norm;
mod fold_constants;
mod fold_pads;
mod fuse_elementwise;
mod fuse_epilogues;
mod fuse_rectifiers;
mod recompute;
mod remove_dead;
mod remove_noops;
mod remove_requantization;
mod simplify;
mod split_reductions;
mod spread_upsamples;

use cnnc_ir::schema::TypeError;
use cnnc_ir::{Graph, NodeId};
use thiserror::Error;

/// What bounds the passes.
#[derive(Clone, Debug)]
pub struct PassOptions {
    /// Largest constant that folding may make, in bytes.
    pub fold_bytes: usize,
    /// Names of passes that are left out (tests, and users who want to see a graph as it was).
    pub skip: Vec<String>,
    /// Whether values are computed twice where that saves memory: training steps.
    pub recompute: bool,
}

impl Default for PassOptions {
    fn default() -> PassOptions {
        PassOptions {
            fold_bytes: 64 << 20,
            skip: Vec::new(),
            recompute: false,
        }
    }
}

/// A pass made a node that does not type-check: a bug of the pass, reported instead of a panic.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PassError {
    #[error("pass {pass}: node '{node}': {source}")]
    Type {
        pass: &'static str,
        node: String,
        source: TypeError,
    },
}

/// One pass: returns how many changes it made.
pub struct Pass {
    pub name: &'static str,
    pub purpose: &'static str,
    pub run: fn(&mut Graph, &PassOptions) -> Result<usize, PassError>,
}

macro_rules! pass {
    ($module:ident, $purpose:literal) => {
        Pass {
            name: stringify!($module),
            purpose: $purpose,
            run: $module::run,
        }
    };
}

/// The pipeline.
pub const PIPELINE: &[Pass] = &[
    pass!(remove_dead, "drop what no output needs"),
    pass!(
        remove_noops,
        "drop identities, merge transposes and reshapes that follow each other"
    ),
    pass!(fold_constants, "compute what depends on constants only"),
    pass!(
        remove_requantization,
        "a value already on a quantisation grid is not rounded to it again"
    ),
    pass!(
        fold_pads,
        "let the convolution or pool do the padding in front of it"
    ),
    pass!(
        fold_batch_norm,
        "multiply per-channel scales and shifts into the weights of the convolution before them"
    ),
    pass!(
        decompose,
        "write composed operators as the simple ones they consist of"
    ),
    pass!(simplify, "algebra that holds bit for bit"),
    pass!(fold_constants, "compute what decomposition made constant"),
    pass!(remove_noops, "drop identities that decomposition made"),
    pass!(eliminate_common, "compute equal things once"),
    pass!(
        split_reductions,
        "sums over images and planes as sums over planes, then over images"
    ),
    pass!(
        spread_upsamples,
        "repeated rows and columns as transposed convolutions"
    ),
    pass!(
        fuse_elementwise,
        "one pass over memory for a chain of elementwise operators"
    ),
    pass!(
        fuse_rectifiers,
        "a ReLU's gradient joins that of the pool behind it"
    ),
    pass!(
        fuse_epilogues,
        "elementwise operators join the contraction, window or reduction before them"
    ),
    pass!(
        recompute,
        "values of a step's forward half that its backward half computes again instead of keeping them"
    ),
    pass!(
        assign_layouts,
        "channels in blocks between convolutions, reorders only at the border"
    ),
    pass!(remove_dead, "drop what the rewrites left over"),
];

/// Runs the pipeline; bodies of control flow are optimised as graphs of their own.
pub fn run(graph: &mut Graph, options: &PassOptions) -> Result<(), PassError> {
    run_until(graph, options, None)
}

/// Runs the pipeline up to and including the last pass of that name.
pub fn run_until(
    graph: &mut Graph,
    options: &PassOptions,
    last: Option<&str>,
) -> Result<(), PassError> {
    let end = last
        .and_then(|name| PIPELINE.iter().rposition(|p| p.name == name))
        .map_or(PIPELINE.len(), |i| i + 1);
    for id in graph.order() {
        let bodies = graph.node(id).op().map_or(0, |op| op.bodies.len());
        for body in 0..bodies {
            let mut inner = graph.take_body(id, body);
            run_until(&mut inner, options, last)?;
            graph.put_body(id, body, inner);
        }
    }
    for pass in &PIPELINE[..end] {
        if !options.skip.iter().any(|s| s == pass.name) {
            (pass.run)(graph, options)?;
        }
    }
    Ok(())
}

/// What makes a pass error of a type error at a node.
fn at(
    pass: &'static str,
    graph: &Graph,
    node: NodeId,
) -> impl FnOnce(TypeError) -> PassError + use<> {
    let node = graph.node(node).title().to_string();
    move |source| PassError::Type { pass, node, source }
}
