//! Nodes that have nothing to do, because the planner made their results views of their operands.

use super::Selector;
use crate::memory::Key;
use crate::schedule::Block;
use cnnc_ir::class::Movement;
use cnnc_ir::{NodeId, Semantics, Value};

impl Selector<'_> {
    /// Whether the planner made the result a view of its operands, all of it.
    pub(super) fn is_alias(&self, block: &Block, id: NodeId, semantics: &Semantics) -> bool {
        let key = |value| Key {
            block: block.id,
            value,
        };
        let node = block.graph.node(id);
        let Some(plan) = self.plan else {
            return false;
        };
        let Some(result) = plan.view(key(id.into())) else {
            return false;
        };
        let at = |v: Value, offset: u64| {
            plan.view(key(v))
                .is_some_and(|p| p.space == result.space && p.offset == offset)
        };
        match semantics {
            Semantics::Movement(Movement::Concat { axis }) => {
                let Some(parts) = node.inputs.iter().copied().collect::<Option<Vec<Value>>>()
                else {
                    return false;
                };
                let unit = match result.layout {
                    cnnc_ir::Layout::Plain => result.strides[*axis],
                    cnnc_ir::Layout::Blocked { block, .. } => result.strides[1] / i64::from(block),
                };
                let mut offset = result.offset;
                parts.iter().all(|&p| {
                    let here = at(p, offset) && plan.is_part(key(p), key(id.into()));
                    let extent = block.graph.ty(p).shape[*axis].fixed().unwrap_or(0);
                    offset += extent * unit as u64 * result.dtype.size() as u64;
                    here
                })
            }
            Semantics::Movement(_) => node
                .inputs
                .first()
                .copied()
                .flatten()
                .is_some_and(|v| plan.is_part(key(id.into()), key(v))),
            _ => false,
        }
    }
}
