//! Epilogues: an elementwise operator joins the contraction, window or reduction whose result only it uses. One rule for
//! convolution + ReLU, + SiLU, + residual + HardSwish: fusion reasons over classes.

use super::fuse_elementwise::expression;
use super::{PassError, PassOptions, at};
use cnnc_ir::class::Contract;
use cnnc_ir::graph::Epilogue;
use cnnc_ir::{DType, Ex, Graph, NodeId, Semantics, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        let Some(expr) = expression(graph, id) else {
            continue;
        };
        let operands: Vec<Value> = graph.node(id).inputs.iter().copied().flatten().collect();
        // Of several roots the youngest: the others' results are then surely there when it runs.
        let Some(root) = operands
            .iter()
            .copied()
            .filter(|&v| is_root(graph, id, v))
            .max()
        else {
            continue;
        };
        let extras: Vec<Value> = operands.iter().copied().filter(|v| *v != root).collect();
        let args: Vec<Ex> = operands
            .iter()
            .map(|v| {
                let number = if *v == root {
                    0
                } else {
                    1 + extras.iter().position(|e| e == v).unwrap_or(0)
                };
                Ex::arg(number, graph.ty(*v).dtype)
            })
            .collect();
        let result = expr.apply(&args).cast(graph.node(id).outputs[0].ty.dtype);
        let producer = graph.node(root.node);
        let (label, mut inputs) = (producer.label.clone(), producer.inputs.clone());
        let mut op = producer.op().expect("a root is an operator").clone();
        op.epilogue = Some(Epilogue {
            expr: result.finish(),
            operands: extras.len(),
        });
        inputs.extend(extras.into_iter().map(Some));
        let new = graph
            .add(op, inputs, &[""], &label)
            .map_err(at("fuse_epilogues", graph, id))?;
        graph.replace_uses(id.into(), new.into());
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// Whether `v` is the result of an operator that can take an epilogue, used by `user` only and of its shape. The tiles of
/// contractions store f32: what changes the element type, a quantisation, is better a step of its own than a reason for a loop nest.
/// The gradient of a filter is put in order after it is summed up, so nothing is left to join.
fn is_root(graph: &Graph, user: NodeId, v: Value) -> bool {
    let node = graph.node(v.node);
    let Some(op) = node.op() else { return false };
    let (own, result) = (graph.ty(v).dtype, graph.node(user).outputs[0].ty.dtype);
    let semantics = graph.semantics(v.node);
    let tiled = matches!(&semantics, Ok(Semantics::Contract(_))) && own == DType::F32;
    op.epilogue.is_none()
        && (own == result || !tiled)
        && op.bodies.is_empty()
        && node.outputs.len() == 1
        && graph.ty(v).is_fixed()
        && graph.ty(v).shape == graph.node(user).outputs[0].ty.shape
        && !graph.is_output(v)
        && graph.users(v).iter().all(|(u, _)| *u == user)
        && match semantics {
            Ok(Semantics::Contract(contract)) => !matches!(contract, Contract::ConvFilter(_)),
            Ok(Semantics::Window(_) | Semantics::Reduce(_)) => true,
            _ => false,
        }
}
