//! The order of a graph's operators. Of two, depth first and a greedy one that frees most memory first, the one with the lower peak is
//! taken. What is computed a second time, to be out of memory in between, comes just before the first that reads it.

use cnnc_ir::{Graph, NodeId, NodeKind, OpKind, Semantics, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Operators only, operands before users.
pub fn best(graph: &Graph) -> Vec<NodeId> {
    let operators = |order: Vec<NodeId>| -> Vec<NodeId> {
        order
            .into_iter()
            .filter(|&id| matches!(graph.node(id).kind, NodeKind::Op(_)))
            .collect()
    };
    let deep = operators(depth_first(graph));
    let greedy = greedy_order(graph);
    if peak(graph, &greedy) < peak(graph, &deep) {
        greedy
    } else {
        deep
    }
}

fn bytes(graph: &Graph, v: Value) -> i64 {
    let ty = graph.ty(v);
    ty.upper_shape().map_or(0, |s| {
        (s.iter().product::<usize>() * ty.dtype.size()) as i64
    })
}

fn is_computed(graph: &Graph, v: Value) -> bool {
    matches!(graph.node(v.node).kind, NodeKind::Op(_))
}

/// List scheduling: among the operators that are ready, the one that lowers live memory most; ties in order of ids. What is
/// computed a second time waits for the other operands of its first user.
fn greedy_order(graph: &Graph) -> Vec<NodeId> {
    let mut waiting: HashMap<NodeId, usize> = HashMap::new();
    let mut uses: HashMap<Value, usize> = HashMap::new();
    let mut users: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    let mut ready: BTreeSet<(i64, NodeId)> = BTreeSet::new();
    let operators: Vec<NodeId> = graph
        .nodes()
        .filter(|n| n.op().is_some())
        .map(|n| n.id)
        .collect();
    let distinct = |id: NodeId| -> Vec<Value> {
        let mut v: Vec<Value> = graph
            .node(id)
            .inputs
            .iter()
            .copied()
            .flatten()
            .filter(|&v| is_computed(graph, v))
            .collect();
        v.sort_unstable();
        v.dedup();
        v
    };
    for &id in &operators {
        let operands = distinct(id);
        let mut producers: Vec<NodeId> = operands.iter().map(|v| v.node).collect();
        producers.dedup();
        for &v in &operands {
            *uses.entry(v).or_default() += 1;
        }
        for &p in &producers {
            users.entry(p).or_default().push(id);
        }
        waiting.insert(id, producers.len());
    }
    for (id, user) in first_users(graph) {
        let mut others: Vec<NodeId> = distinct(user).iter().map(|v| v.node).collect();
        others.dedup();
        for other in others.into_iter().filter(|other| *other != id) {
            users.entry(other).or_default().push(id);
            *waiting.entry(id).or_default() += 1;
        }
    }
    for (_, v) in graph.outputs() {
        *uses.entry(*v).or_default() += 1;
    }
    // The cost of an operator: what it allocates less what it is the last to read. Recomputed only when it becomes ready.
    let cost = |id: NodeId, uses: &HashMap<Value, usize>| -> i64 {
        let made: i64 = (0..graph.node(id).outputs.len() as u32)
            .map(|slot| bytes(graph, Value { node: id, slot }))
            .sum();
        let freed: i64 = distinct(id)
            .into_iter()
            .filter(|v| uses[v] == 1)
            .map(|v| bytes(graph, v))
            .sum();
        made - freed
    };
    for &id in operators.iter().filter(|id| waiting[id] == 0) {
        ready.insert((cost(id, &uses), id));
    }
    let mut order = Vec::with_capacity(operators.len());
    while let Some((_, id)) = ready.pop_first() {
        order.push(id);
        for v in distinct(id) {
            *uses.entry(v).or_default() -= 1;
        }
        for &user in users.get(&id).into_iter().flatten() {
            let left = waiting.entry(user).or_default();
            *left -= 1;
            if *left == 0 {
                ready.insert((cost(user, &uses), user));
            }
        }
    }
    order
}

/// Largest sum of live computed values over the order, in bytes.
fn peak(graph: &Graph, order: &[NodeId]) -> i64 {
    let mut last: HashMap<Value, usize> = HashMap::new();
    for (t, &id) in order.iter().enumerate() {
        for v in graph.node(id).inputs.iter().flatten() {
            last.insert(*v, t);
        }
    }
    for (_, v) in graph.outputs() {
        last.insert(*v, order.len());
    }
    let mut frees: Vec<i64> = vec![0; order.len() + 1];
    let (mut live, mut peak) = (0, 0);
    for (t, &id) in order.iter().enumerate() {
        for slot in 0..graph.node(id).outputs.len() as u32 {
            let v = Value { node: id, slot };
            live += bytes(graph, v);
            frees[last.get(&v).copied().unwrap_or(t)] += bytes(graph, v);
        }
        peak = peak.max(live);
        live -= frees[t];
    }
    peak
}

/// Elementwise operators that compute anew what another one has computed, each with the first of its users in the graph's order.
fn first_users(graph: &Graph) -> Vec<(NodeId, NodeId)> {
    let mut same: HashMap<(OpKind, &[Option<Value>]), Vec<NodeId>> = HashMap::new();
    let mut again = Vec::new();
    for node in graph.nodes() {
        let Some(op) = node.op().filter(|op| op.bodies.is_empty()) else {
            continue;
        };
        // Ids tell which one came first.
        let earlier = same.entry((op.kind, &node.inputs)).or_default();
        if earlier.iter().any(|&id| graph.node(id).op() == Some(op)) {
            again.push(node.id);
        } else {
            earlier.push(node.id);
        }
    }
    again.retain(|&id| {
        let is_elementwise = matches!(graph.semantics(id), Ok(Semantics::Elementwise(_)));
        is_elementwise && !graph.is_output(id.into())
    });
    if again.is_empty() {
        return Vec::new();
    }
    let order = graph.order().into_iter().enumerate();
    let position: HashMap<NodeId, usize> = order.map(|(i, id)| (id, i)).collect();
    let first = |id: NodeId| {
        let users = graph.users(id.into()).into_iter().map(|(user, _)| user);
        users.min_by_key(|user| position[user])
    };
    again
        .into_iter()
        .filter_map(|id| Some((id, first(id)?)))
        .collect()
}

/// The graph's order, but for what is computed a second time: that comes just before its first user.
fn depth_first(graph: &Graph) -> Vec<NodeId> {
    let late = first_users(graph);
    if late.is_empty() {
        return graph.order();
    }
    let mut before: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for &(id, user) in &late {
        before.entry(user).or_default().push(id);
    }
    let moved: HashSet<NodeId> = late.into_iter().map(|(id, _)| id).collect();
    let mut order = Vec::with_capacity(graph.len());
    for id in graph.order() {
        if moved.contains(&id) {
            continue;
        }
        // What comes before a node may have something before itself.
        let mut stack = vec![id];
        let mut run = Vec::new();
        while let Some(id) = stack.pop() {
            run.push(id);
            stack.extend(before.remove(&id).into_iter().flatten());
        }
        order.extend(run.into_iter().rev());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnnc_ir::text::parse;

    /// Ten chains of a wide value and a narrow one; the first value of each is computed again at the end, where all of them meet.
    #[test]
    fn what_is_computed_again_comes_just_before_its_user() {
        let forward = |i: usize| {
            format!(
                "%a{i} = MatMul(%x, %w)\n%r{i} = Exp(%a{i})\n%s{i} = MatMul(%r{i}, %v)\n%y{i} = Exp(%s{i})\n"
            )
        };
        let backward = |i: usize| {
            format!("%q{i} = Exp(%a{i})\n%g{i} = Mul(%q{i}, %z)\n%h{i} = MatMul(%g{i}, %v)\n")
        };
        let join = |name: &str, count: usize| {
            let parts: Vec<String> = (0..count).map(|i| format!("%{name}{i}")).collect();
            parts.join(", ")
        };
        let text = format!(
            "graph \"t\" (%x: f32[8,64], %w: f32[64,64], %v: f32[64,1]) {{\n{}%sum = Sum({})\n%z = Exp(%sum)\n{}%all = Sum({})\nreturn \"all\" = %all\n}}",
            (0..10).map(forward).collect::<String>(),
            join("y", 10),
            (0..10).map(backward).collect::<String>(),
            join("h", 10),
        );
        let graph = parse(&text).unwrap();
        for order in [depth_first(&graph), greedy_order(&graph)] {
            let names = order.iter().map(|&id| graph.value_name(id.into()));
            let names: Vec<&str> = names.collect();
            let at = |name: &str| names.iter().position(|n| *n == name).unwrap();
            assert_eq!(names.iter().filter(|n| n.starts_with('q')).count(), 10);
            for i in 0..10 {
                let (again, user) = (at(&format!("q{i}")), at(&format!("g{i}")));
                assert!(at("z") < again && again < user, "{names:?}");
            }
        }
    }
}
