//! When two graphs are the same: node by node in their common order, ids and labels aside.

use super::{Graph, NodeId, Value};
use std::collections::HashMap;

/// Equal in meaning's structure: the same nodes in [`Graph::order`], whatever their ids.
impl PartialEq for Graph {
    fn eq(&self, other: &Graph) -> bool {
        let (a, b) = (self.order(), other.order());
        if a.len() != b.len()
            || self.inputs.len() != other.inputs.len()
            || self.outputs.len() != other.outputs.len()
        {
            return false;
        }
        let number = |order: &[NodeId]| {
            order
                .iter()
                .enumerate()
                .map(|(i, &id)| (id, i))
                .collect::<HashMap<_, _>>()
        };
        let (na, nb) = (number(&a), number(&b));
        let same = |x: Value, y: Value| na[&x.node] == nb[&y.node] && x.slot == y.slot;
        self.name == other.name
            && a.iter().zip(&b).all(|(&x, &y)| {
                let (x, y) = (self.node(x), other.node(y));
                x.kind == y.kind
                    && x.outputs == y.outputs
                    && x.inputs.len() == y.inputs.len()
                    && x.inputs.iter().zip(&y.inputs).all(|(p, q)| match (p, q) {
                        (Some(p), Some(q)) => same(*p, *q),
                        (None, None) => true,
                        _ => false,
                    })
            })
            && self
                .outputs
                .iter()
                .zip(&other.outputs)
                .all(|(x, y)| x.0 == y.0 && same(x.1, y.1))
    }
}
