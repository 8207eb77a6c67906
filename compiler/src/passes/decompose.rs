//! Composed operators (normalisations, losses, attention, ...) become the simple operators they are defined by.

use super::{PassError, PassOptions, at};
use cnnc_ir::{Graph, NodeId, Semantics, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    let mut work: Vec<NodeId> = graph.order();
    work.reverse();
    while let Some(id) = work.pop() {
        if graph.node(id).op().is_none() {
            continue;
        }
        let Semantics::Compose(body) = graph.semantics(id).map_err(at("decompose", graph, id))?
        else {
            continue;
        };
        let node = graph.node(id);
        let args: Vec<Value> = node.root_inputs().iter().copied().flatten().collect();
        let (prefix, label) = (
            format!("{}/", node.outputs[0].name),
            node.title().to_string(),
        );
        let first_new = NodeId(graph.next_id());
        let results =
            graph
                .inline(&body, &args, &prefix, &label)
                .map_err(at("decompose", graph, id))?;
        for (slot, &value) in results.iter().enumerate() {
            graph.replace_uses(
                Value {
                    node: id,
                    slot: slot as u32,
                },
                value,
            );
        }
        // What a body consists of may be composed itself.
        work.extend((first_new.0..graph.next_id()).rev().map(NodeId));
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}
