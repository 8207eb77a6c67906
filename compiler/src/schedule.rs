//! The schedule: one order of all steps, bodies of control flow nested, and the time at which each runs.

use crate::order;
use cnnc_ir::{Graph, NodeId, Value};
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
        let steps = order::best(graph)
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
