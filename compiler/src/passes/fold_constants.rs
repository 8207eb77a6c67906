//! Constant folding: what depends on constants only is computed by the interpreter, under a budget. A result much larger than
//! its operands (an expanded fill) stays an operator: storing it would cost more than computing it.

use super::{PassError, PassOptions};
use cnnc_ir::interp::Interpreter;
use cnnc_ir::{Graph, NodeId, Tensor, Value};

/// Results up to this size are folded whatever their operands' size.
const ALWAYS_BYTES: usize = 64 << 10;

pub fn run(graph: &mut Graph, options: &PassOptions) -> Result<usize, PassError> {
    let interpreter = Interpreter::default();
    let mut changes = 0;
    for id in graph.order() {
        let Some(operands) = constant_operands(graph, id, options) else {
            continue;
        };
        // A value that cannot be computed now (an index out of range, say) is reported when the program runs.
        let Ok(results) = interpreter.eval_node(graph, id, &operands) else {
            continue;
        };
        for (slot, tensor) in results.into_iter().enumerate() {
            let old = Value {
                node: id,
                slot: slot as u32,
            };
            let name = graph.value_name(old).to_string();
            let new = graph.add_constant(&name, tensor);
            graph.replace_uses(old, new);
        }
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

fn constant_operands(
    graph: &Graph,
    id: NodeId,
    options: &PassOptions,
) -> Option<Vec<Option<Tensor>>> {
    let node = graph.node(id);
    let op = node.op()?;
    if !op.bodies.is_empty() {
        return None;
    }
    let operands: Vec<Option<Tensor>> = node
        .inputs
        .iter()
        .map(|v| match v {
            None => Some(None),
            Some(v) => graph.constant(*v).cloned().map(Some),
        })
        .collect::<Option<_>>()?;
    let given: usize = operands.iter().flatten().map(|t| t.bytes().len()).sum();
    let result = node.outputs.iter().try_fold(0usize, |sum, o| {
        sum.checked_add(
            o.ty.elements()
                .unwrap_or(given)
                .checked_mul(o.ty.dtype.size())?,
        )
    })?;
    (result <= options.fold_bytes && (result <= ALWAYS_BYTES || result <= 2 * given))
        .then_some(operands)
}
