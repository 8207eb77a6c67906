//! QDQ recognition: `QuantizeLinear(DequantizeLinear(q, s, z), s, z)` is `q`, exactly, since rounding undoes the error of
//! multiplying and dividing by the same scale. Exporters put such pairs around every operator that only moves data.
//!
//! The arithmetic between a dequantisation and the next quantisation stays f32 as the file says; turning it into integer
//! arithmetic would change results and is not done unasked.

use super::{PassError, PassOptions};
use cnnc_ir::{Graph, NodeId, OpKind, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        if let Some(source) = already_quantized(graph, id) {
            graph.replace_uses(id.into(), source);
            changes += 1;
        }
    }
    graph.sweep();
    Ok(changes)
}

fn already_quantized(graph: &Graph, id: NodeId) -> Option<Value> {
    let quantize = graph.node(id);
    let dequantized = quantize.inputs.first().copied().flatten()?;
    let dequantize = graph.node(dequantized.node);
    if quantize.op_kind() != Some(OpKind::QuantizeLinear)
        || dequantize.op_kind() != Some(OpKind::DequantizeLinear)
    {
        return None;
    }
    let source = dequantize.inputs.first().copied().flatten()?;
    let parameter = |n: &cnnc_ir::graph::Node, i: usize| n.inputs.get(i).copied().flatten();
    let equal = |i: usize| match (parameter(quantize, i), parameter(dequantize, i)) {
        (Some(a), Some(b)) => {
            a == b || matches!((graph.constant(a), graph.constant(b)), (Some(a), Some(b)) if a == b)
        }
        (None, None) => true,
        _ => false,
    };
    let scale = graph.constant(parameter(quantize, 1)?)?;
    let positive = scale.to_f64().iter().all(|s| s.is_normal() && *s > 0.0);
    let axis = |n: &cnnc_ir::graph::Node| n.op().and_then(|o| o.attrs.get("axis").cloned());
    (positive
        && equal(1)
        && equal(2)
        && axis(quantize) == axis(dequantize)
        && graph.ty(source) == &quantize.outputs[0].ty)
        .then_some(source)
}
