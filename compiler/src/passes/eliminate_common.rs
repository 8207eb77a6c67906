//! Common subexpressions: equal operators on equal operands are computed once, equal small constants are kept once.

use super::{PassError, PassOptions};
use cnnc_ir::{Graph, NodeId, NodeKind, Value};
use std::collections::HashMap;

/// Constants above this size are compared by the address of their bytes only.
const COMPARED_BYTES: usize = 4096;

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut seen: HashMap<String, NodeId> = HashMap::new();
    let mut changes = 0;
    for id in graph.order() {
        let Some(key) = key(graph, id) else { continue };
        match seen.get(&key) {
            Some(&first) => {
                for slot in 0..graph.node(id).outputs.len() as u32 {
                    graph.replace_uses(Value { node: id, slot }, Value { node: first, slot });
                }
                changes += 1;
            }
            None => {
                seen.insert(key, id);
            }
        }
    }
    graph.sweep();
    Ok(changes)
}

/// Nodes with equal keys compute equal values.
fn key(graph: &Graph, id: NodeId) -> Option<String> {
    let node = graph.node(id);
    match &node.kind {
        NodeKind::Input => None,
        NodeKind::Constant(t) if t.bytes().len() <= COMPARED_BYTES => {
            Some(format!("{} {:?}", t.ty(), t.bytes()))
        }
        NodeKind::Constant(t) => Some(format!("{} at {:p}", t.ty(), t.bytes().as_ptr())),
        NodeKind::Op(op)
            if !op.bodies.is_empty()
                || op.kind.def().name.starts_with("Random")
                || op.kind.def().name == "Bernoulli" =>
        {
            None
        }
        NodeKind::Op(op) => Some(format!(
            "{:?} {:?} {:?} {:?} {}",
            op.kind,
            op.attrs,
            op.epilogue,
            node.inputs,
            node.outputs.len()
        )),
    }
}
