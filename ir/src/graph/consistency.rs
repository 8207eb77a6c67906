//! What only the graph itself can see of its own state: edges against operand slots.

use super::{Graph, NodeId};
use petgraph::Direction;
use petgraph::visit::EdgeRef;
use std::collections::HashSet;

impl Graph {
    /// Nodes whose incoming edges are not exactly their operands, or whose id is not their place.
    pub(crate) fn misplaced(&self) -> Vec<NodeId> {
        let agrees = |id: NodeId| {
            let node = self.node(id);
            let mut edges: Vec<(u32, NodeId, u32)> = self
                .dag
                .edges_directed(self.place(id), Direction::Incoming)
                .map(|e| (e.weight().to, self.dag[e.source()].id, e.weight().from))
                .collect();
            edges.sort_unstable();
            let slots = (0..).zip(&node.inputs);
            let operands = slots.filter_map(|(slot, v)| v.map(|v| (slot, v.node, v.slot)));
            node.id == id && operands.eq(edges)
        };
        let ids = (0..self.places.len() as u32)
            .map(NodeId)
            .filter(|&id| self.contains(id));
        ids.filter(|&id| !agrees(id)).collect()
    }

    /// Whether the names that are reserved are those of the values, each once.
    pub(crate) fn names_agree(&self) -> bool {
        let names: Vec<&str> = self
            .nodes()
            .flat_map(|n| &n.outputs)
            .map(|o| o.name.as_str())
            .collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        distinct.len() == names.len()
            && distinct.len() == self.names.len()
            && names.iter().all(|n| self.has_name(n))
    }
}
