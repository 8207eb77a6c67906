//! Kernel selection: for every step of the schedule the first candidate of its class that fits, with the refusals on record.
//!
//! Candidates stand in lists, best first, the loop nest or the portable kernel last. A candidate answers with kernels or with the
//! reason why it does not fit; [`Selection`] keeps both, and `cnnc explain` prints them.

mod alias;
mod candidates;
mod chain;
pub mod constants;
mod contract;
mod control;
pub mod decision;
mod epilogue;
mod filter;
mod filters;
mod matrix;
mod nests;
mod planar;
mod pool;
mod portable;
mod scale;
mod text;
mod transposed;
mod unpool;
mod winograd;
mod workspace;

use crate::kernel::nest::{self, Nest};
use crate::kernel::plan::Plan as TilePlan;
use crate::kernel::staged::StagedPlan;
use crate::kernel::tile::Target;
use crate::memory::view::{Space, View};
use crate::memory::{Key, Plan, State};
use crate::schedule::{Block, Step};
use cnnc_ir::class::Semantics;
use cnnc_ir::expr::{Ex, ScalarExpr};
use cnnc_ir::graph::Epilogue;
use cnnc_ir::schema::TypeError;
use cnnc_ir::{Graph, NodeId, Tensor, Value};
use cnnc_runtime::portable::Portable;
use constants::ConstantPool;
use decision::{Choices, Decision};
use std::collections::HashMap;
use thiserror::Error;
use workspace::Workspace;

/// The kernels of a program in the order they run, and the constants they read.
pub struct Selection {
    pub steps: Vec<Selected>,
    pub constants: ConstantPool,
}

/// Between the labels of operators that are one step.
pub const JOINED: &str = " + ";

impl Selected {
    /// What its steps are called: its operators' labels.
    pub fn label(&self) -> String {
        let own = self.own_label();
        let labels = self.before.iter().chain([&own]).map(String::as_str);
        labels.collect::<Vec<_>>().join(JOINED)
    }

    /// The label of its last operator.
    fn own_label(&self) -> String {
        format!("{} ({})", self.node, self.op)
    }
}

impl Selection {
    /// The decisions for nodes outside of control flow, with the labels of their steps.
    pub fn decisions(&self) -> Vec<(String, Decision)> {
        let decided = self.steps.iter();
        decided
            .filter_map(|s| Some((s.label(), s.decision.clone()?)))
            .collect()
    }
}

/// What was chosen for one node.
#[derive(Debug)]
pub struct Selected {
    /// The node's title and operator.
    pub node: String,
    pub op: String,
    /// Labels of the operators that are done along with it, before it.
    pub before: Vec<String>,
    /// Name of the chosen candidate; `alias` where nothing is to be done.
    pub chosen: &'static str,
    /// Candidates before it and why they do not fit.
    pub refused: Vec<(&'static str, String)>,
    /// What was decided among the candidate's free choices, where it has any.
    pub decision: Option<Decision>,
    pub kernels: Vec<Kernel>,
}

/// One piece of work.
#[derive(Debug)]
pub enum Kernel {
    /// A loop nest for the code generator.
    Nest(Nest),
    /// A grid of assembled tiles.
    Tiled(Tiled),
    /// Strips that go through several stages.
    Staged(Staged),
    /// A routine of the runtime.
    Portable {
        kernel: Portable,
        inputs: Vec<Option<View>>,
        outputs: Vec<View>,
    },
    If {
        condition: View,
        then_steps: Vec<Selected>,
        else_steps: Vec<Selected>,
    },
    Loop {
        trip: Option<View>,
        condition: Option<View>,
        counter: Option<View>,
        body: Vec<Selected>,
    },
}

/// A tile plan bound to memory.
#[derive(Debug)]
pub struct Tiled {
    pub plan: TilePlan,
    pub target: Target,
    pub input: Place,
    pub weights: Place,
    pub output: Place,
    pub bias: Place,
    pub residual: Place,
}

/// A staged plan bound to memory.
#[derive(Debug)]
pub struct Staged {
    pub plan: StagedPlan,
    pub target: Target,
    pub input: Place,
    pub weights: Place,
    pub output: Place,
    pub bias: Place,
    pub residual: Place,
    /// Any place where the plan has no constants.
    pub constants: Place,
}

/// Where an operand's first element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub space: Space,
    /// Bytes.
    pub offset: u64,
}

impl Place {
    /// So many bytes further on.
    fn moved(self, by: i64) -> Place {
        Place {
            offset: self.offset.wrapping_add_signed(by),
            ..self
        }
    }
}

impl From<&View> for Place {
    fn from(v: &View) -> Place {
        Place {
            space: v.space,
            offset: v.offset,
        }
    }
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelectError {
    #[error("node '{node}' ({op}): no kernel fits: {reasons}")]
    NoKernel {
        node: String,
        op: String,
        reasons: String,
    },
    #[error("node '{node}': {source}")]
    Type { node: String, source: TypeError },
}

/// What a kernel may do to the order of a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numerics {
    /// Algorithms with an error bound of their own, such as Winograd's, where they are quicker.
    #[default]
    Fast,
    /// Every convolution is the direct sum in a fixed order.
    Strict,
}

/// What the kernels are chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    pub target: Target,
    pub numerics: Numerics,
    /// Threads that the work is cut for; any number may do it.
    pub threads: usize,
    /// Whether results are to be the same bits whatever number of threads the work is cut for.
    pub same_sums: bool,
}

/// What memory planning has to know of kernels: joins steps that are estimated to be quicker strip by strip, so that nothing is
/// planned between them, and asks what memory each step works with.
pub fn prepare(schedule: &mut Block, wishes: Wishes, choices: &Choices) {
    for step in &mut schedule.steps {
        let bodies = step.bodies.iter_mut();
        bodies.for_each(|body| prepare(body, wishes, choices));
    }
    let estimated = Choices::default();
    let runs = chain::runs(&mut Selector::new(None, wishes, &estimated), schedule);
    schedule.join(&runs);
    let mut selector = Selector::new(None, wishes, choices);
    let steps = schedule.steps.iter();
    let bytes: Vec<u64> = steps.map(|s| selector.workspace(schedule, s)).collect();
    for (step, bytes) in schedule.steps.iter_mut().zip(bytes) {
        step.workspace = bytes;
    }
}

/// Chooses kernels for the whole schedule, free choices as they were measured to be quickest.
pub fn select(
    schedule: &Block,
    plan: &Plan,
    wishes: Wishes,
    choices: &Choices,
) -> Result<Selection, SelectError> {
    let mut selector = Selector::new(Some(plan), wishes, choices);
    let mut steps = selector.block(schedule)?;
    for state in &plan.copies {
        steps.push(selector.keep(schedule, state)?);
    }
    Ok(Selection {
        steps,
        constants: selector.constants,
    })
}

/// A candidate's answer.
type Offer = Result<Vec<Kernel>, String>;

/// One node with its operands' and results' places.
pub struct Request<'a> {
    pub semantics: &'a Semantics,
    /// The operator's own operands.
    pub inputs: Vec<Option<View>>,
    /// Values of those operands that are constants.
    pub values: Vec<Option<Tensor>>,
    pub outputs: Vec<View>,
    pub epilogue: Option<EpilogueRequest<'a>>,
    /// Element type of the operator's result before the epilogue.
    pub result: cnnc_ir::DType,
}

/// An epilogue with its operands.
pub struct EpilogueRequest<'a> {
    pub expr: &'a ScalarExpr,
    pub operands: Vec<View>,
    pub values: Vec<Option<Tensor>>,
}

pub struct Selector<'p> {
    /// Nothing has a place before memory is planned.
    plan: Option<&'p Plan>,
    target: Target,
    wishes: Wishes,
    choices: &'p Choices,
    /// Of the candidate that is being asked.
    decision: Option<Decision>,
    constants: ConstantPool,
    workspace: Workspace,
    /// Body inputs that stand for a constant outside.
    captured: HashMap<Key, Tensor>,
}

impl<'p> Selector<'p> {
    fn new(plan: Option<&'p Plan>, wishes: Wishes, choices: &'p Choices) -> Selector<'p> {
        Selector {
            plan,
            target: wishes.target,
            wishes,
            choices,
            decision: None,
            constants: ConstantPool::default(),
            workspace: Workspace::default(),
            captured: HashMap::new(),
        }
    }

    fn block(&mut self, block: &Block) -> Result<Vec<Selected>, SelectError> {
        block
            .steps
            .iter()
            .map(|step| self.step(block, step))
            .collect()
    }

    /// The constant behind a value, if it is one.
    fn constant(&self, block: &Block, v: Value) -> Option<Tensor> {
        let captured = self.captured.get(&Key {
            block: block.id,
            value: v,
        });
        block.graph.constant(v).or(captured).cloned()
    }

    /// Where a value lies. Values inside a step have no place.
    fn view(&mut self, block: &Block, v: Value) -> View {
        if let Some(t) = self.constant(block, v) {
            return self.constants.plain(&t);
        }
        let key = Key {
            block: block.id,
            value: v,
        };
        let place = self.plan.and_then(|plan| plan.view(key));
        place.map_or_else(|| View::unplaced(block.graph.ty(v)), View::clone)
    }

    fn views(
        &mut self,
        block: &Block,
        values: &[Option<Value>],
    ) -> (Vec<Option<View>>, Vec<Option<Tensor>>) {
        let constants: Vec<Option<Tensor>> = values
            .iter()
            .map(|v| v.and_then(|v| self.constant(block, v)))
            .collect();
        // Constants get their place when a kernel reads them plain: packed weights are stored packed only.
        let views = values
            .iter()
            .zip(&constants)
            .map(|(v, c)| match c {
                Some(t) => Some(ConstantPool::unplaced(t)),
                None => v.map(|v| self.view(block, v)),
            })
            .collect();
        (views, constants)
    }

    fn step(&mut self, block: &Block, step: &Step) -> Result<Selected, SelectError> {
        let node = block.graph.node(step.node);
        let (title, op) = (
            node.title().to_string(),
            node.op_kind().map_or("", |k| k.def().name).to_string(),
        );
        let before = step.before.iter().map(|&id| label(block.graph, id));
        let before: Vec<String> = before.collect();
        let semantics = self.semantics(block, step.node)?;
        let selected = |chosen, refused, kernels| Selected {
            node: title.clone(),
            op: op.clone(),
            before: before.clone(),
            chosen,
            refused,
            decision: None,
            kernels,
        };
        if let Semantics::Control(control) = &semantics {
            return Ok(selected(
                "control flow",
                Vec::new(),
                self.control(block, step, control)?,
            ));
        }
        if self.is_alias(block, step.node, &semantics) {
            return Ok(selected("alias", Vec::new(), Vec::new()));
        }
        if !step.before.is_empty() {
            let kernels = chain::kernels(self, block, step);
            return match kernels {
                Ok(kernels) => Ok(selected("strips", Vec::new(), kernels)),
                Err(reasons) => Err(SelectError::NoKernel {
                    node: title.clone(),
                    op: op.clone(),
                    reasons,
                }),
            };
        }
        let place = self
            .plan
            .and_then(|plan| plan.workspace(block.id, step.node));
        self.workspace = Workspace {
            place: Some((place.unwrap_or(0), step.workspace)),
            used: 0,
        };
        let request = self.request(block, step.node, &semantics);
        let mut refused = Vec::new();
        for candidate in candidates::of(&semantics) {
            self.decision = None;
            match (candidate.offer)(self, &request) {
                Ok(kernels) => {
                    return Ok(Selected {
                        decision: self.decision.take(),
                        ..selected(candidate.name, refused, kernels)
                    });
                }
                Err(reason) => refused.push((candidate.name, reason)),
            }
        }
        let reasons: Vec<String> = refused
            .iter()
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        Err(SelectError::NoKernel {
            node: title.clone(),
            op: op.clone(),
            reasons: reasons.join("; "),
        })
    }

    /// Copies the next value of a state to where it is kept.
    fn keep(&mut self, block: &Block, state: &State) -> Result<Selected, SelectError> {
        let (from, to) = (self.view(block, state.next), self.view(block, state.input));
        let name = block.graph.value_name(state.input).to_string();
        let copy = Ex::arg(0, to.dtype).finish();
        let nests = nest::elementwise(&copy, &[from], &to).map_err(|e| SelectError::NoKernel {
            node: name.clone(),
            op: "state".to_string(),
            reasons: e.to_string(),
        })?;
        Ok(Selected {
            node: name,
            op: "state".to_string(),
            before: Vec::new(),
            chosen: "copy",
            refused: Vec::new(),
            decision: None,
            kernels: nests.into_iter().map(Kernel::Nest).collect(),
        })
    }

    /// A node with its operands' and results' places.
    fn request<'a>(
        &mut self,
        block: &'a Block<'_>,
        id: NodeId,
        semantics: &'a Semantics,
    ) -> Request<'a> {
        let node = block.graph.node(id);
        let (inputs, values) = self.views(block, node.root_inputs());
        let (operands, operand_values) = self.views(block, node.epilogue_inputs());
        let slots = 0..node.outputs.len() as u32;
        let outputs = slots.map(|slot| self.view(block, Value { node: id, slot }));
        let outputs = outputs.collect();
        let epilogue: Option<&Epilogue> = node.op().and_then(|o| o.epilogue.as_ref());
        Request {
            semantics,
            inputs,
            values,
            outputs,
            epilogue: epilogue.map(|e| EpilogueRequest {
                expr: &e.expr,
                operands: operands.into_iter().flatten().collect(),
                values: operand_values,
            }),
            result: self.result_type(block, id),
        }
    }

    fn semantics(&self, block: &Block, id: NodeId) -> Result<Semantics, SelectError> {
        block
            .graph
            .semantics(id)
            .map_err(|source| SelectError::Type {
                node: block.graph.node(id).title().to_string(),
                source,
            })
    }

    /// Element type before the epilogue.
    fn result_type(&self, block: &Block, id: NodeId) -> cnnc_ir::DType {
        let node = block.graph.node(id);
        let stored = node.outputs[0].ty.dtype;
        let Some(op) = node.op().filter(|o| o.epilogue.is_some()) else {
            return stored;
        };
        let bare = cnnc_ir::graph::Op {
            epilogue: None,
            ..op.clone()
        };
        block
            .graph
            .infer(&bare, node.root_inputs(), 1, "")
            .ok()
            .and_then(|t| t.first().map(|t| t.dtype))
            .unwrap_or(stored)
    }
}

/// What an operator is called in a list of steps: `title (Op)`.
fn label(graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    let op = node.op_kind().map_or("", |k| k.def().name);
    format!("{} ({op})", node.title())
}
