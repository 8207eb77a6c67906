//! Gradients: reverse-mode differentiation as a sweep over the graph that appends ordinary operators.
//!
//! From `y` backwards, every operator on a way from a wanted value to `y` passes what it is given, the gradient with respect to its
//! result, on to its operands; what several users pass to one value is added. There is one rule for each class
//! ([`Semantics`]): elementwise operators differentiate their scalar expression, compositions are first replaced by what they consist
//! of (but for the few whose gradient is simpler as a whole), recurrent ones by their steps. What comes out is a graph like any other: printed, optimised, planned and compiled.
//!
//! Deliberately absent: control flow, and recomputation of what takes much memory to keep.

mod batch_normalization;
mod contract;
mod elementwise;
pub mod expr;
mod index;
mod movement;
mod recurrent;
mod reduce;
mod softmax;
mod window;

use crate::attrs::AttrValue;
use crate::class::{Index, Recurrent, Semantics};
use crate::compose::Composer;
use crate::graph::{Graph, Node, NodeId, Op, Value};
use crate::ops::OpKind;
use crate::schema::TypeError;
use crate::tensor::Tensor;
use crate::types::TensorType;
use std::collections::{HashMap, HashSet};
use thiserror::Error;

/// Why a value has no gradient.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GradientError {
    #[error("node '{node}' ({op}): {reason}")]
    Undefined {
        node: String,
        op: &'static str,
        reason: String,
    },
    #[error(
        "'{name}' is {ty}; a gradient starts at one floating point number, or at a seed of its type"
    )]
    Seed { name: String, ty: String },
    /// A gradient does not type-check: a bug of its rule.
    #[error("node '{node}': its gradient: {source}")]
    Type { node: String, source: TypeError },
}

/// Appends the gradients of `of` with respect to the values `wrt`, one each, of their types; zeros where `of` does not depend on
/// one. `seed` is the gradient with respect to `of` itself; without it `of` is one number, whose gradient is 1.
///
/// Compositions between `wrt` and `of` are replaced by their parts, so that gradients share what these compute. What is appended is
/// labelled after the node whose gradient it is of.
///
/// # Errors
/// If `of` is no floating point number (or does not have the seed's type), or depends on `wrt` through an operator without a
/// gradient. The graph is then not to be used further.
pub fn gradients(
    graph: &mut Graph,
    of: Value,
    seed: Option<Value>,
    wrt: &[Value],
) -> Result<Vec<Value>, GradientError> {
    let mut sweep = Sweep {
        composer: Composer::over(std::mem::take(graph)),
        gradients: HashMap::new(),
    };
    let result = sweep.run(of, seed, wrt);
    *graph = sweep.composer.into_graph();
    result
}

/// What a rule gives: operand numbers with the gradients they get.
type Shares = Vec<(usize, Value)>;

/// Why a rule gives nothing.
enum Refusal {
    Reason(String),
    Type(TypeError),
}

impl From<TypeError> for Refusal {
    fn from(e: TypeError) -> Refusal {
        Refusal::Type(e)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Refusal {
        Refusal::Reason(reason.to_string())
    }
}

impl Refusal {
    fn at(self, node: &Node) -> GradientError {
        let name = node.title().to_string();
        match self {
            Refusal::Reason(reason) => GradientError::Undefined {
                node: name,
                op: node.op_kind().map_or("", |kind| kind.def().name),
                reason,
            },
            Refusal::Type(source) => GradientError::Type { node: name, source },
        }
    }
}

/// What stands for an operator that has no rule of its own.
enum Parts {
    Body(Box<Graph>),
    Steps(Recurrent),
}

/// Whether a composition has a rule, so that it is not replaced by its parts.
fn has_rule(op: &Op) -> bool {
    op.kind == OpKind::Split || softmax::covers(op) || batch_normalization::covers(op)
}

struct Sweep {
    composer: Composer,
    /// What has been passed to each value so far.
    gradients: HashMap<Value, Value>,
}

/// A node whose result has a gradient.
struct Task<'a> {
    id: NodeId,
    inputs: &'a [Option<Value>],
    /// The gradient with respect to the first result.
    dy: Value,
    /// Operands that want a gradient.
    wanted: Vec<usize>,
}

impl Sweep {
    fn graph(&self) -> &Graph {
        self.composer.graph()
    }

    fn run(
        &mut self,
        of: Value,
        seed: Option<Value>,
        wrt: &[Value],
    ) -> Result<Vec<Value>, GradientError> {
        let (of, wrt) = self.expand(of, wrt)?;
        let ty = self.graph().ty(of).clone();
        let seed = match seed {
            Some(seed) if *self.graph().ty(seed) == ty => seed,
            None if ty.dtype.is_float() && ty.elements() == Some(1) => {
                let shape = ty.fixed_shape().unwrap_or_default();
                self.composer
                    .constant(Tensor::from_f64(ty.dtype, &shape, &[1.0]))
            }
            _ => {
                return Err(GradientError::Seed {
                    name: self.graph().value_name(of).to_string(),
                    ty: ty.to_string(),
                });
            }
        };
        self.gradients.insert(of, seed);
        let active = self.active(of, &wrt);
        for id in self.graph().order().into_iter().rev() {
            if active.contains(&id) {
                self.node(id, &active, &wrt)?;
            }
        }
        wrt.iter().map(|&value| self.gradient(value)).collect()
    }

    /// What was passed to a value; zeros if nothing was.
    fn gradient(&mut self, value: Value) -> Result<Value, GradientError> {
        if let Some(&gradient) = self.gradients.get(&value) {
            return Ok(gradient);
        }
        let ty = self.graph().ty(value).clone();
        let name = self.graph().value_name(value).to_string();
        self.zeros(&ty)
            .map_err(|source| GradientError::Type { node: name, source })
    }

    fn zeros(&mut self, ty: &TensorType) -> Result<Value, TypeError> {
        let zero = self.composer.scalar(ty.dtype, 0.0);
        let shape = ty.fixed_shape().unwrap_or_default();
        self.composer.expand(zero, &shape)
    }

    /// Operators on a way from `wrt` to `of`.
    fn active(&self, of: Value, wrt: &[Value]) -> HashSet<NodeId> {
        let graph = self.graph();
        let mut needed: HashSet<NodeId> = HashSet::new();
        let mut stack = vec![of.node];
        while let Some(id) = stack.pop() {
            if needed.insert(id) {
                stack.extend(graph.node(id).inputs.iter().flatten().map(|v| v.node));
            }
        }
        let mut depends: HashSet<Value> = wrt.iter().copied().collect();
        let mut active = HashSet::new();
        for id in graph.order() {
            let node = graph.node(id);
            let carries = |v: &Value| depends.contains(v) && graph.ty(*v).dtype.is_float();
            if node.op().is_some() && node.inputs.iter().flatten().any(carries) {
                let outputs = 0..node.outputs.len() as u32;
                depends.extend(outputs.map(|slot| Value { node: id, slot }));
                if needed.contains(&id) {
                    active.insert(id);
                }
            }
        }
        active
    }

    /// Replaces compositions between `wrt` and `of` by their parts, until there are none.
    fn expand(
        &mut self,
        mut of: Value,
        wrt: &[Value],
    ) -> Result<(Value, Vec<Value>), GradientError> {
        let mut wrt = wrt.to_vec();
        loop {
            let active = self.active(of, &wrt);
            let order = self.graph().order();
            let composed = order.into_iter().filter(|id| active.contains(id));
            let has_rule = |id: &NodeId| self.graph().node(*id).op().is_some_and(has_rule);
            let composed = composed.filter(|id| !has_rule(id));
            let composed = composed.filter_map(|id| match self.graph().semantics(id) {
                Ok(Semantics::Compose(body)) => Some((id, Parts::Body(body))),
                Ok(Semantics::Index(Index::Recurrent(r))) => Some((id, Parts::Steps(r))),
                _ => None,
            });
            let composed: Vec<_> = composed.collect();
            if composed.is_empty() {
                return Ok((of, wrt));
            }
            for (id, parts) in composed {
                let node = self.graph().node(id).clone();
                let given: Vec<Value> = node.inputs.iter().copied().flatten().collect();
                let first = self.graph().next_id();
                let parts = match parts {
                    Parts::Body(body) => self.composer.inline(&body, &given).map_err(Into::into),
                    Parts::Steps(r) => self.written_out(&r, &node.inputs),
                };
                let mut parts = parts.map_err(|refusal| refusal.at(&node))?;
                self.composer.label_since(first, node.title());
                parts.truncate(node.outputs.len());
                for (slot, &part) in parts.iter().enumerate() {
                    let whole = Value {
                        node: id,
                        slot: slot as u32,
                    };
                    self.composer.replace(whole, part);
                    for value in wrt.iter_mut().chain([&mut of]) {
                        if *value == whole {
                            *value = part;
                        }
                    }
                }
            }
        }
    }

    /// Passes the gradient of a node's results on to its operands.
    fn node(
        &mut self,
        id: NodeId,
        active: &HashSet<NodeId>,
        wrt: &[Value],
    ) -> Result<(), GradientError> {
        let node = self.graph().node(id).clone();
        let slots = 0..node.outputs.len() as u32;
        let given = slots.map(|slot| Value { node: id, slot });
        let given = given.filter_map(|v| Some((v.slot, *self.gradients.get(&v)?)));
        let given: Vec<(u32, Value)> = given.collect();
        let Some(&(_, dy)) = given.first() else {
            return Ok(());
        };
        let wants = |v: &Value| {
            (active.contains(&v.node) || wrt.contains(v)) && self.graph().ty(*v).dtype.is_float()
        };
        let operands = node.inputs.iter().enumerate();
        let wanted = operands.filter(|(_, v)| v.as_ref().is_some_and(wants));
        let task = Task {
            id,
            inputs: &node.inputs,
            dy,
            wanted: wanted.map(|(k, _)| k).collect(),
        };
        let first = self.graph().next_id();
        let shares = match given[..] {
            _ if node.op_kind() == Some(OpKind::Split) => self.split(&task, &given),
            [(0, _)] => self.rule(&task),
            _ => Err("only its first result has a gradient".into()),
        };
        let shares = shares.and_then(|shares| Ok(self.add(&node.inputs, shares)?));
        let label = format!("gradient of {}", node.title());
        self.composer.label_since(first, &label);
        shares.map_err(|refusal| refusal.at(&node))
    }

    fn rule(&mut self, task: &Task) -> Result<Shares, Refusal> {
        let op = self.graph().node(task.id).op().cloned();
        let op = op.ok_or("not an operator")?;
        if op.epilogue.is_some() {
            return Err("gradients are taken before operators are fused".into());
        }
        if softmax::covers(&op) {
            return self.softmax(task, &op);
        }
        if batch_normalization::covers(&op) {
            return self.batch_normalization(task, &op);
        }
        match self.graph().semantics(task.id)? {
            Semantics::Elementwise(expr) => self.elementwise(task, &expr),
            Semantics::Reduce(reduce) => self.reduce(task, &reduce),
            Semantics::Contract(contract) => self.contract(task, &contract),
            Semantics::Window(window) => self.window(task, &window),
            Semantics::WindowGradient { .. } => {
                Err("a pool's gradient has no gradient itself".into())
            }
            Semantics::Movement(movement) => self.movement(task, &movement),
            Semantics::Index(index) => self.index(task, &index),
            Semantics::Control(_) => Err("control flow has no gradient".into()),
            Semantics::Compose(_) => Err("a composition was not replaced by its parts".into()),
        }
    }

    fn add(&mut self, inputs: &[Option<Value>], shares: Shares) -> Result<(), TypeError> {
        for (k, share) in shares {
            let Some(value) = inputs.get(k).copied().flatten() else {
                continue;
            };
            let sum = match self.gradients.get(&value) {
                Some(&before) => self.composer.op(OpKind::Add, &[before, share])?,
                None => share,
            };
            self.gradients.insert(value, sum);
        }
        Ok(())
    }

    /// The known shape of a value.
    fn shape(&self, v: Value) -> Result<Vec<usize>, Refusal> {
        let ty = self.graph().ty(v);
        ty.fixed_shape()
            .ok_or_else(|| Refusal::Reason(format!("the shape of an operand is not known: {ty}")))
    }

    /// Sums a gradient over the axes along which its value was broadcast.
    fn unbroadcast(&mut self, gradient: Value, to: Value) -> Result<Value, Refusal> {
        let (from, to) = (self.shape(gradient)?, self.shape(to)?);
        if from == to {
            return Ok(gradient);
        }
        let lead = from.len() - to.len();
        let stretched = |a: &usize| *a < lead || to[a - lead] == 1 && from[*a] != 1;
        let axes: Vec<i64> = (0..from.len())
            .filter(stretched)
            .map(|a| a as i64)
            .collect();
        let mut sum = gradient;
        if !axes.is_empty() {
            sum = self
                .composer
                .reduce(OpKind::ReduceSum, gradient, &axes, true)?;
        }
        Ok(self.composer.reshape(sum, &to)?)
    }
}

/// A list of sizes as an attribute.
fn ints(values: &[usize]) -> AttrValue {
    AttrValue::Ints(values.iter().map(|&v| v as i64).collect())
}
