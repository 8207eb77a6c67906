//! Upsampling by repetition becomes a transposed convolution: every pixel is spread over its window of ones.
//!
//! `Gather(x, [0, 0, 1, 1, ..], axis)` along the rows or columns of pictures is what nearest-neighbour resizing by a whole factor
//! decomposes into. As a depthwise ConvTranspose whose kernel is its stride it runs on tiles and keeps blocked layouts. A
//! convolution in front shows that the pictures are those of a network.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::class::{Contract, Index};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Graph, NodeId, OpKind, Semantics, Tensor, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    // Outer gathers first, so that those of rows and columns join.
    for id in graph.order().into_iter().rev() {
        if graph.users(id.into()).is_empty() && !graph.is_output(id.into()) {
            continue;
        }
        let Some((source, factors)) = upsampled(graph, id) else {
            continue;
        };
        if !follows_convolution(graph, source) {
            continue;
        }
        let label = graph.node(id).label.clone();
        let spread =
            spread(graph, source, factors, &label).map_err(at("spread_upsamples", graph, id))?;
        graph.replace_uses(id.into(), spread);
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// What is repeated, and how often its rows and columns are.
fn upsampled(graph: &Graph, id: NodeId) -> Option<(Value, [usize; 2])> {
    let (inner, axis, factor) = repetition(graph, id)?;
    let mut factors = [1, 1];
    factors[axis] = factor;
    match repetition(graph, inner.node) {
        Some((source, other, factor)) if other != axis && graph.users(inner).len() == 1 => {
            factors[other] = factor;
            Some((source, factors))
        }
        _ => Some((inner, factors)),
    }
}

/// A gather that repeats every row (axis 0) or column (1) of f32 pictures: its operand, the axis and how often.
fn repetition(graph: &Graph, id: NodeId) -> Option<(Value, usize, usize)> {
    let node = graph.node(id);
    node.op()?;
    let Ok(Semantics::Index(Index::Gather { axis })) = graph.semantics(id) else {
        return None;
    };
    let source = (*node.inputs.first()?)?;
    let ty = graph.ty(source);
    let shape = ty.fixed_shape()?;
    let indices = graph.constant((*node.inputs.get(1)?)?)?;
    let spatial = axis.checked_sub(2)?;
    if ty.dtype != DType::F32 || shape.len() != 4 || indices.shape().len() != 1 || shape[axis] == 0
    {
        return None;
    }
    let factor = indices.len() / shape[axis];
    let repeats = |(at, index): (usize, i64)| usize::try_from(index) == Ok(at / factor);
    (factor > 1
        && indices.len() == factor * shape[axis]
        && indices.to_i64().into_iter().enumerate().all(repeats))
    .then_some((source, spatial, factor))
}

/// Whether a value is the result of a convolution, perhaps of elementwise operators over one.
fn follows_convolution(graph: &Graph, mut v: Value) -> bool {
    loop {
        let node = graph.node(v.node);
        if node.op().is_none() {
            return false;
        }
        let first = node.inputs.first().copied().flatten();
        v = match (graph.semantics(v.node), first) {
            (Ok(Semantics::Elementwise(_)), Some(first)) => first,
            (Ok(Semantics::Contract(contract)), _) => {
                return matches!(contract, Contract::Conv(_) | Contract::ConvTranspose(_));
            }
            _ => return false,
        };
    }
}

/// The transposed convolution with windows of ones.
fn spread(
    graph: &mut Graph,
    source: Value,
    factors: [usize; 2],
    label: &str,
) -> Result<Value, cnnc_ir::TypeError> {
    let channels = graph.ty(source).shape[1].fixed().unwrap_or(0) as usize;
    let shape = [channels, 1, factors[0], factors[1]];
    let ones = vec![1.0; shape.iter().product()];
    let weights = graph.add_constant("ones", Tensor::from_f64(DType::F32, &shape, &ones));
    let sizes = AttrValue::Ints(factors.map(|f| f as i64).to_vec());
    let op = Op {
        kind: OpKind::ConvTranspose,
        attrs: Attrs::from([
            ("group".to_string(), AttrValue::Int(channels as i64)),
            ("kernel_shape".to_string(), sizes.clone()),
            ("strides".to_string(), sizes),
        ]),
        bodies: Vec::new(),
        epilogue: None,
    };
    let inputs = vec![Some(source), Some(weights)];
    Ok(graph.add(op, inputs, &[""], label)?.into())
}
