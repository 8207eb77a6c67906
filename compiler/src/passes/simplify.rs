//! Algebra that holds bit for bit, infinities, NaN and the sign of zero included: `x * 1`, `x / 1`, `x - 0`, `x ^ 1` are `x`,
//! `x ^ 2` is `x * x`. An elementwise operator broadcasts by itself what is expanded for it alone to read. `x + 0`, `x * 0` and `x - x` are not simplified: they differ from what they seem for -0, infinity and NaN.

use super::fuse_elementwise::expression;
use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::Attrs;
use cnnc_ir::{Graph, NodeId, OpKind, TensorType, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        changes += drop_expands(graph, id);
        let Some(simpler) = simpler(graph, id).map_err(at("simplify", graph, id))? else {
            continue;
        };
        if graph.ty(simpler) == graph.ty(id.into()) {
            graph.replace_uses(id.into(), simpler);
            changes += 1;
        }
    }
    graph.sweep();
    Ok(changes)
}

/// Lets an elementwise operator read what was expanded, where its other operands give it its shape.
fn drop_expands(graph: &mut Graph, id: NodeId) -> usize {
    let Some(_) = expression(graph, id) else {
        return 0;
    };
    let op = graph.node(id).op().cloned();
    let mut changes = 0;
    for slot in 0..graph.node(id).inputs.len() {
        let (Some(v), Some(op)) = (graph.node(id).inputs[slot], &op) else {
            continue;
        };
        let node = graph.node(v.node);
        let (Some(OpKind::Expand), Some(&Some(source))) = (node.op_kind(), node.inputs.first())
        else {
            continue;
        };
        let mut inputs = graph.node(id).inputs.clone();
        inputs[slot] = Some(source);
        let same = |ty: &[TensorType]| ty.first() == Some(graph.ty(id.into()));
        if graph.infer(op, &inputs, 1, "").is_ok_and(|ty| same(&ty)) {
            graph.set_operand(id, slot, source);
            changes += 1;
        }
    }
    changes
}

fn simpler(graph: &mut Graph, id: NodeId) -> Result<Option<Value>, cnnc_ir::TypeError> {
    let node = graph.node(id);
    let Some(op) = node.op().filter(|op| op.epilogue.is_none()) else {
        return Ok(None);
    };
    let (Some(Some(a)), Some(Some(b))) =
        (node.inputs.first().copied(), node.inputs.get(1).copied())
    else {
        return Ok(None);
    };
    Ok(match op.kind {
        OpKind::Mul if uniform(graph, b, 1.0) => Some(a),
        OpKind::Mul if uniform(graph, a, 1.0) => Some(b),
        OpKind::Div if uniform(graph, b, 1.0) => Some(a),
        OpKind::Sub if uniform(graph, b, 0.0) => Some(a),
        OpKind::Pow if uniform(graph, b, 1.0) => Some(a),
        OpKind::Pow if uniform(graph, b, 2.0) && graph.ty(a).dtype.is_float() => {
            Some(graph.op(OpKind::Mul, &[a, a], Attrs::new())?)
        }
        _ => None,
    })
}

/// Whether a constant holds nothing but `value` (and no -0 for 0).
fn uniform(graph: &Graph, v: Value, value: f64) -> bool {
    graph
        .constant(v)
        .is_some_and(|t| !t.is_empty() && t.to_f64().iter().all(|x| x.to_bits() == value.to_bits()))
}
