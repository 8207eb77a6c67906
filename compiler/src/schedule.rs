//! The schedule: one order of all steps, bodies of control flow nested, and the time at which each runs.
//!
//! Of two orders, depth first and a greedy one that frees most memory first, the one with the lower peak is taken.

use cnnc_ir::{Graph, NodeId, NodeKind, Value};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

/// Steps of one graph. Blocks are numbered: block 0 is the main graph, the others are bodies.
pub struct Block<'g> {
    pub id: usize,
    pub graph: &'g Graph,
    pub steps: Vec<Step<'g>>,
    /// Time before the first and after the last step.
    pub start: u32,
    pub end: u32,
}

/// One operator at its time. Control flow spans the times of its bodies.
pub struct Step<'g> {
    /// Operators done strip by strip along with `node`, in their order: each result is read by the next one only, and is nowhere
    /// in memory as a whole.
    pub before: Vec<NodeId>,
    pub node: NodeId,
    /// Bytes of memory it works with while it runs.
    pub workspace: u64,
    pub start: u32,
    pub end: u32,
    pub bodies: Vec<Block<'g>>,
}

/// Schedules a graph and the bodies in it.
pub fn schedule(graph: &Graph) -> Block<'_> {
    let mut clock = Clock { time: 0, blocks: 0 };
    clock.block(graph)
}

struct Clock {
    time: u32,
    blocks: usize,
}

impl Clock {
    fn tick(&mut self) -> u32 {
        self.time += 1;
        self.time
    }

    fn block<'g>(&mut self, graph: &'g Graph) -> Block<'g> {
        let id = self.blocks;
        self.blocks += 1;
        let start = self.tick();
        let steps = best_order(graph)
            .into_iter()
            .map(|node| {
                let start = self.tick();
                let bodies: Vec<Block> = graph
                    .node(node)
                    .op()
                    .map_or(&[][..], |op| &op.bodies[..])
                    .iter()
                    .map(|b| self.block(b))
                    .collect();
                let end = if bodies.is_empty() {
                    start
                } else {
                    self.tick()
                };
                Step {
                    before: Vec::new(),
                    node,
                    workspace: 0,
                    start,
                    end,
                    bodies,
                }
            })
            .collect();
        Block {
            id,
            graph,
            steps,
            start,
            end: self.tick(),
        }
    }
}

impl Step<'_> {
    /// The step's operators in their order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.before.iter().copied().chain([self.node])
    }
}

impl Block<'_> {
    /// Joins runs of steps, given by their indices, into one step each; runs ascend and do not overlap.
    pub fn join(&mut self, runs: &[Range<usize>]) {
        for run in runs.iter().rev() {
            let Some(last) = run.end.checked_sub(1).filter(|last| *last > run.start) else {
                continue;
            };
            let before: Vec<NodeId> = self.steps.drain(run.start..last).map(|s| s.node).collect();
            self.steps[run.start].before = before;
        }
    }
}

/// Operators only, operands before users.
fn best_order(graph: &Graph) -> Vec<NodeId> {
    let operators = |order: Vec<NodeId>| -> Vec<NodeId> {
        order
            .into_iter()
            .filter(|&id| matches!(graph.node(id).kind, NodeKind::Op(_)))
            .collect()
    };
    let depth_first = operators(graph.order());
    let greedy = greedy_order(graph);
    if peak(graph, &greedy) < peak(graph, &depth_first) {
        greedy
    } else {
        depth_first
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

/// List scheduling: among the operators that are ready, the one that lowers live memory most; ties in order of ids.
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

/// One line an operator: time, result, operator, operands; operators of one step have its time.
impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, id) in self
            .steps
            .iter()
            .flat_map(|s| s.nodes().map(move |id| (s, id)))
        {
            let node = self.graph.node(id);
            let name = |v: &Option<Value>| {
                v.map_or("_".to_string(), |v| {
                    format!("%{}", self.graph.value_name(v))
                })
            };
            let inputs: Vec<String> = node.inputs.iter().map(name).collect();
            let outputs: Vec<String> = node
                .outputs
                .iter()
                .map(|o| format!("%{}", o.name))
                .collect();
            let kind = node.op_kind().map_or("", |k| k.def().name);
            writeln!(
                f,
                "{:>5} {} = {kind}({})",
                step.start,
                outputs.join(", "),
                inputs.join(", ")
            )?;
            for body in &step.bodies {
                writeln!(f, "      body {}", body.id)?;
                write!(f, "{body}")?;
            }
        }
        Ok(())
    }
}
