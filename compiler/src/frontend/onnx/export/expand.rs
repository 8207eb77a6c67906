//! Operators in forms that only old opsets have, replaced by what they consist of.

use super::ExportError;
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::compose::Composer;
use cnnc_ir::graph::Op;
use cnnc_ir::{Graph, NodeId, OpKind, Semantics, Value};
use std::borrow::Cow;

/// Whether an operator has attributes that no current opset has.
fn is_old(op: &Op) -> bool {
    let is_set = |name: &str| matches!(op.attrs.get(name), Some(AttrValue::Int(n)) if *n != 0);
    match op.kind {
        OpKind::Softmax | OpKind::LogSoftmax | OpKind::Hardmax => is_set("flatten"),
        OpKind::Scan => is_set("batched"),
        _ => false,
    }
}

/// The graph without such operators.
pub fn expanded(graph: &Graph) -> Result<Cow<'_, Graph>, ExportError> {
    let old = |graph: &Graph| -> Vec<NodeId> {
        let nodes = graph.nodes().filter(|n| n.op().is_some_and(is_old));
        nodes.map(|n| n.id).collect()
    };
    if old(graph).is_empty() {
        return Ok(Cow::Borrowed(graph));
    }
    let mut composer = Composer::over(graph.clone());
    loop {
        let found = old(composer.graph());
        if found.is_empty() {
            let mut graph = composer.into_graph();
            graph.sweep();
            return Ok(Cow::Owned(graph));
        }
        for id in found {
            replace(&mut composer, id)?;
        }
        let mut graph = composer.into_graph();
        graph.sweep();
        composer = Composer::over(graph);
    }
}

fn replace(composer: &mut Composer, id: NodeId) -> Result<(), ExportError> {
    let node = composer.graph().node(id).clone();
    let failed = |source| ExportError::Parts {
        node: node.title().to_string(),
        source,
    };
    let Semantics::Compose(body) = composer.graph().semantics(id).map_err(failed)? else {
        return Err(ExportError::Operator {
            node: node.title().to_string(),
            op: node.op_kind().map_or("", |kind| kind.def().name),
            reason: "this form of it is of an old opset and has no parts".to_string(),
        });
    };
    let given: Vec<Value> = node.inputs.iter().copied().flatten().collect();
    let parts = composer.inline(&body, &given).map_err(failed)?;
    for (slot, &part) in parts.iter().enumerate() {
        let slot = slot as u32;
        composer.replace(Value { node: id, slot }, part);
    }
    Ok(())
}
