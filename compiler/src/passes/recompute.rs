//! Values that a training step's forward half makes and its backward half reads again are computed there a second time, from operands
//! that are kept anyway: so they are not in memory at the peak, between the halves. Only elementwise values: each costs one pass over
//! memory, and gives the same bits.
//!
//! Which ones is an estimate: lives over the order that will run, and memory traffic for time.

use super::fuse_elementwise::expression;
use super::{PassError, PassOptions, at};
use crate::order;
use cnnc_ir::{Graph, NodeId, Value};
use std::collections::{HashMap, HashSet};

/// One part in so many of a graph's memory traffic may be added.
const TRAFFIC_SHARE: u64 = 10;
/// A lower peak is worth it from one part in so many.
const PEAK_SHARE: u64 = 32;
/// Smaller values, in bytes, are not worth a step.
const LEAST: u64 = 1 << 14;
/// An operand this many times smaller than the result is kept for it.
const SMALLER: u64 = 16;

pub fn run(graph: &mut Graph, options: &PassOptions) -> Result<usize, PassError> {
    if !options.recompute {
        return Ok(0);
    }
    let traffic = graph.nodes().map(|node| traffic(graph, node.id));
    let mut budget = traffic.sum::<u64>() / TRAFFIC_SHARE;
    let mut changes = 0;
    loop {
        let chosen = choose(graph, &Lives::of(graph), &mut budget);
        if chosen.is_empty() {
            return Ok(changes);
        }
        changes += chosen.len();
        for (id, late) in chosen {
            repeat(graph, id, &late)?;
        }
    }
}

/// Computes a value once more for these users.
fn repeat(graph: &mut Graph, id: NodeId, late: &[(NodeId, usize)]) -> Result<(), PassError> {
    let node = graph.node(id).clone();
    let Some(op) = node.op().cloned() else {
        return Ok(());
    };
    let again = graph.add(op, node.inputs.clone(), &[""], &node.label);
    let again = again.map_err(at("recompute", graph, id))?;
    for &(user, slot) in late {
        graph.set_operand(user, slot, again.into());
    }
    Ok(())
}

/// A value, and its users behind the peak.
type Choice = (NodeId, Vec<(NodeId, usize)>);

/// What to compute twice so that the peak falls by a part that counts; nothing where it would not.
fn choose(graph: &Graph, lives: &Lives, budget: &mut u64) -> Vec<Choice> {
    let mut candidates: Vec<(u64, NodeId)> = lives
        .order
        .iter()
        .copied()
        .filter_map(|id| {
            let size = bytes(graph, id.into());
            let fits =
                size >= LEAST && lives.spans_peak(id) && !late_users(graph, lives, id).is_empty();
            (fits && expression(graph, id).is_some())
                .then(|| (traffic(graph, id) / size.max(1), id))
        })
        .collect();
    // The cheapest for what they save; of equals the first.
    candidates.sort_by_key(|&(cost, id)| (cost, lives.position[&id]));
    let (mut pinned, mut chosen, mut left, mut saved) = (HashSet::new(), Vec::new(), *budget, 0);
    let mut is_chosen = HashSet::new();
    for (_, id) in candidates {
        let size = bytes(graph, id.into());
        let inputs = graph.node(id).inputs.iter().flatten();
        let large: Vec<Value> = inputs
            .copied()
            .filter(|&v| graph.node(v.node).op().is_some() && bytes(graph, v) > size / SMALLER)
            .collect();
        let kept = large
            .iter()
            .all(|v| lives.last[v] > lives.peak && !is_chosen.contains(&v.node));
        let cost = traffic(graph, id);
        if !kept || pinned.contains(&id) || cost > left {
            continue;
        }
        left -= cost;
        saved += size;
        pinned.extend(large.iter().map(|v| v.node));
        is_chosen.insert(id);
        chosen.push((id, late_users(graph, lives, id)));
    }
    if saved < lives.bytes / PEAK_SHARE {
        return Vec::new();
    }
    *budget = left;
    chosen
}

fn late_users(graph: &Graph, lives: &Lives, id: NodeId) -> Vec<(NodeId, usize)> {
    let users = graph.users(id.into()).into_iter();
    users
        .filter(|(user, _)| lives.position[user] > lives.peak)
        .collect()
}

/// When values are made and read for the last time, in steps of the graph's order.
struct Lives {
    order: Vec<NodeId>,
    position: HashMap<NodeId, usize>,
    last: HashMap<Value, usize>,
    /// The step at which most is alive, and how much that is.
    peak: usize,
    bytes: u64,
}

impl Lives {
    fn of(graph: &Graph) -> Lives {
        let order = order::best(graph);
        let position = order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        let mut last: HashMap<Value, usize> = HashMap::new();
        for (i, &id) in order.iter().enumerate() {
            last.insert(id.into(), i);
            for v in graph.node(id).inputs.iter().flatten() {
                last.insert(*v, i);
            }
        }
        for (_, v) in graph.outputs() {
            last.insert(*v, order.len());
        }
        let outputs: HashSet<Value> = graph.outputs().iter().map(|(_, v)| *v).collect();
        let mut freed = vec![0; order.len() + 1];
        let (mut live, mut peak, mut most) = (0, 0, 0);
        for (i, &id) in order.iter().enumerate() {
            for slot in 0..graph.node(id).outputs.len() as u32 {
                let v = Value { node: id, slot };
                // Outputs are next values of states, which lie in these.
                if !outputs.contains(&v) {
                    live += bytes(graph, v);
                    freed[last.get(&v).copied().unwrap_or(i)] += bytes(graph, v);
                }
            }
            if live > most {
                (peak, most) = (i, live);
            }
            live -= freed[i];
        }
        Lives {
            order,
            position,
            last,
            peak,
            bytes: most,
        }
    }

    /// Whether a node's result is made before the peak and read behind it, and not wanted by the graph's user.
    fn spans_peak(&self, id: NodeId) -> bool {
        let last = self.last[&Value::from(id)];
        self.position[&id] < self.peak && last > self.peak && last < self.order.len()
    }
}

/// Bytes of a computed value; what is given takes none here.
fn bytes(graph: &Graph, v: Value) -> u64 {
    let ty = graph.ty(v);
    match graph.node(v.node).op() {
        Some(_) => ty.elements().unwrap_or(0).saturating_mul(ty.dtype.size()) as u64,
        None => 0,
    }
}

/// Bytes that a node reads and writes.
fn traffic(graph: &Graph, id: NodeId) -> u64 {
    let node = graph.node(id);
    let read = node.inputs.iter().flatten().map(|v| bytes(graph, *v));
    let slots = 0..node.outputs.len() as u32;
    let written = slots.map(|slot| bytes(graph, Value { node: id, slot }));
    read.sum::<u64>() + written.sum::<u64>()
}
