//! Operators that change nothing, and pairs that are one: by class, whatever the operator's name.
//!
//! * an elementwise expression that only passes its argument on, with the same type (`Identity`, `Cast` to the own type, `Dropout`);
//! * a reshape to the same shape, a view that maps every coordinate to itself (full slice, empty pad, expand to the own shape);
//! * a reshape of a reshape, a transpose of a transpose: one, or none where the second undoes the first.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::class::{AxisMap, Movement};
use cnnc_ir::expr::ExprOp;
use cnnc_ir::graph::Op;
use cnnc_ir::{Graph, NodeId, OpKind, Semantics, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        let Some(op) = graph.node(id).op() else {
            continue;
        };
        if op.epilogue.is_some() || !op.bodies.is_empty() {
            continue;
        }
        let semantics = graph.semantics(id).map_err(at("remove_noops", graph, id))?;
        if let Some(source) = passed_on(graph, id, &semantics) {
            graph.replace_uses(id.into(), source);
            changes += 1;
        } else if let Some(merged) =
            merge(graph, id, &semantics).map_err(at("remove_noops", graph, id))?
        {
            graph.replace_uses(id.into(), merged);
            changes += 1;
        }
    }
    graph.sweep();
    Ok(changes)
}

/// The operand that the node's first output equals, if the other outputs are unused.
fn passed_on(graph: &Graph, id: NodeId, semantics: &Semantics) -> Option<Value> {
    let node = graph.node(id);
    let source = (*node.inputs.first()?)?;
    if graph.ty(source) != &node.outputs[0].ty {
        return None;
    }
    let same = match semantics {
        Semantics::Elementwise(expr) => expr.insts.len() == 1 && expr.insts[0].op == ExprOp::Arg(0),
        Semantics::Movement(Movement::Reshape) => true,
        Semantics::Movement(Movement::View { axes, .. }) => {
            axes.iter().enumerate().all(|(i, a)| *a == AxisMap::same(i))
        }
        Semantics::Compose(body) => {
            node.outputs.len() == 1 && body.outputs()[0].1.node == *body.inputs().first()?
        }
        _ => false,
    };
    same.then_some(source)
}

/// One operator in place of two of a kind.
fn merge(
    graph: &mut Graph,
    id: NodeId,
    semantics: &Semantics,
) -> Result<Option<Value>, cnnc_ir::TypeError> {
    let node = graph.node(id);
    let Some(source) = node.inputs.first().copied().flatten() else {
        return Ok(None);
    };
    let Some(before) = graph.node(source.node).op() else {
        return Ok(None);
    };
    let Some(origin) = graph.node(source.node).inputs.first().copied().flatten() else {
        return Ok(None);
    };
    if before.epilogue.is_some() || graph.ty(origin).layout != graph.ty(source).layout {
        return Ok(None);
    }
    match semantics {
        Semantics::Movement(Movement::Reshape) => {
            let reshaped = matches!(
                graph.semantics(source.node)?,
                Semantics::Movement(Movement::Reshape)
            );
            let Some(shape) = node.outputs[0].ty.fixed_shape().filter(|_| reshaped) else {
                return Ok(None);
            };
            if graph.ty(origin) == &node.outputs[0].ty {
                return Ok(Some(origin));
            }
            let label = node.label.clone();
            let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
            let shape = graph.add_constant("", cnnc_ir::Tensor::ints(&dims));
            let attrs = Attrs::from([("allowzero".to_string(), AttrValue::Int(1))]);
            let op = Op {
                kind: OpKind::Reshape,
                attrs,
                bodies: Vec::new(),
                epilogue: None,
            };
            Ok(Some(
                graph
                    .add(op, vec![Some(origin), Some(shape)], &[""], &label)?
                    .into(),
            ))
        }
        Semantics::Movement(Movement::View { axes: outer, .. })
            if node.op_kind() == Some(OpKind::Transpose) && before.kind == OpKind::Transpose =>
        {
            let Semantics::Movement(Movement::View { axes: inner, .. }) =
                graph.semantics(source.node)?
            else {
                return Ok(None);
            };
            let mut perm = vec![0; inner.len()];
            for (input, map) in inner.iter().enumerate() {
                let middle = map.axis.unwrap_or(0);
                perm[outer[middle].axis.unwrap_or(0)] = input as i64;
            }
            if perm.is_sorted() {
                return Ok(Some(origin));
            }
            let label = node.label.clone();
            let attrs = Attrs::from([("perm".to_string(), AttrValue::Ints(perm))]);
            let op = Op {
                kind: OpKind::Transpose,
                attrs,
                bodies: Vec::new(),
                epilogue: None,
            };
            Ok(Some(
                graph.add(op, vec![Some(origin)], &[""], &label)?.into(),
            ))
        }
        _ => Ok(None),
    }
}
