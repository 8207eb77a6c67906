//! Labels for operators that came as a group.

use super::{Graph, NodeId, NodeKind};

impl Graph {
    /// Labels the operators added from the id `first` on that have no label: of a group that one thing is made of.
    pub fn label_since(&mut self, first: u32, label: &str) {
        let added = (first..self.next_id()).map(NodeId);
        let bare = added.filter(|&id| {
            self.contains(id) && {
                let node = self.node(id);
                node.label.is_empty() && matches!(node.kind, NodeKind::Op(_))
            }
        });
        for id in bare.collect::<Vec<_>>() {
            self.set_label(id, label);
        }
    }
}
