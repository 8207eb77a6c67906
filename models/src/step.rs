//! A training step as a graph: forward, loss, gradients, update.
//!
//! The step is a pure function; what it remembers are [`State`]s, inputs with a result that takes their place in the next step:
//!
//! ```text
//! (x.., targets, rate, step, parameters.., slots.., statistics..) -> (loss, scores, the same again..)
//! ```
//!
//! Batch normalisation uses the batch's moments and moves the running ones; dropout draws its mask from a hash of the seed, the step
//! and the element, so that a step that is computed again is the same.

use crate::description::BATCH;
use crate::loss::{Loss, map, reduce};
use crate::network::{Clip, Network, Parameter};
use crate::optimizer::{Element, Optimizer};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::autodiff::{GradientError, gradients};
use cnnc_ir::expr::BinaryOp;
use cnnc_ir::graph::{Node, Op};
use cnnc_ir::{DType, Dim, Ex, Graph, NodeKind, OpKind, Tensor, TensorType, TypeError, Value};
use std::collections::{HashMap, HashSet};
use thiserror::Error;

/// Names of the inputs that every step has.
pub const TARGETS: &str = "targets";
pub const RATE: &str = "rate";
pub const STEP: &str = "step";
/// Names of the outputs that every step has.
pub const LOSS: &str = "loss";
pub const SCORES: &str = "scores";

/// What a step is made for.
#[derive(Clone, Debug)]
pub struct Settings {
    pub loss: Loss,
    pub optimizer: Optimizer,
    /// Factors of the sums of absolute values and of squares of the weights in the loss.
    pub l1: f64,
    pub l2: f64,
    pub clip: Option<Clip>,
    /// Samples a step.
    pub batch: usize,
    /// Of dropout.
    pub seed: u32,
}

/// A step's graph and what it remembers.
#[derive(Clone, Debug)]
pub struct Step {
    pub graph: Graph,
    pub states: Vec<State>,
}

/// A value that a step leaves for the next one.
#[derive(Clone, Debug)]
pub struct State {
    /// Of the input.
    pub name: String,
    /// Of the output that takes its place.
    pub next: String,
    /// Its value before the first step.
    pub initial: Tensor,
    pub kind: StateKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// Learnt.
    Parameter,
    /// Kept by the optimiser beside a parameter.
    Slot,
    /// A running mean or variance.
    Statistic,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StepError {
    #[error("the network has {found} outputs; training takes the first of exactly one")]
    Outputs { found: usize },
    #[error("a batch holds at least one sample")]
    Batch,
    #[error("node '{node}': {source}")]
    Type { node: String, source: TypeError },
    #[error("the loss of an output of type {output}: {source}")]
    Loss { output: String, source: TypeError },
    #[error(transparent)]
    Gradient(#[from] GradientError),
    #[error("the update: {0}")]
    Update(TypeError),
    #[error("no parameter is learnt")]
    NothingToLearn,
}

/// Makes a network's training step.
///
/// # Errors
/// If the network has not exactly one output, does not type-check with that batch, or has an operator without gradient.
pub fn step(network: &Network, settings: &Settings) -> Result<Step, StepError> {
    if settings.batch == 0 {
        return Err(StepError::Batch);
    }
    let [(_, output)] = network.graph.outputs() else {
        let found = network.graph.outputs().len();
        return Err(StepError::Outputs { found });
    };
    let mut lifting = Lifting::new(network, settings);
    for id in network.graph.order() {
        let node = network.graph.node(id);
        lifting.node(node).map_err(|source| StepError::Type {
            node: node.title().to_string(),
            source,
        })?;
    }
    let scores = lifting.values[&scores(network, *output, settings.loss)];
    let Lifting {
        mut graph,
        mut states,
        parameters,
        ..
    } = lifting;
    if parameters.is_empty() {
        return Err(StepError::NothingToLearn);
    }
    let ty = graph.ty(scores).clone();
    let targets = graph.add_input(TARGETS, settings.loss.targets(&ty));
    let loss = settings.loss.append(&mut graph, scores, targets);
    let loss = loss.map_err(|source| StepError::Loss {
        output: ty.to_string(),
        source,
    })?;
    graph.add_output(LOSS, loss);
    graph.add_output(SCORES, scores);
    for state in &states {
        graph.add_output(&state.0.next, state.1);
    }
    let wrt: Vec<Value> = parameters.iter().map(|p| p.value).collect();
    let found = gradients(&mut graph, loss, None, &wrt)?;
    let updates = Updating {
        graph: &mut graph,
        settings,
    };
    let learnt = updates.run(&parameters, found).map_err(StepError::Update)?;
    graph.sweep();
    let mut all = learnt;
    all.extend(states.drain(..).map(|(state, _)| state));
    Ok(Step { graph, states: all })
}

/// What the loss reads: the output, or what stands before an operator that the loss has of its own.
fn scores(network: &Network, output: Value, loss: Loss) -> Value {
    let node = network.graph.node(output.node);
    match node.op_kind() {
        Some(kind) if Some(kind) == loss.absorbs() => node.inputs[0].unwrap_or(output),
        _ => output,
    }
}

/// A parameter that is learnt.
struct Learnt {
    name: String,
    value: Value,
    initial: Tensor,
    decay: bool,
}

/// The parameter that is that constant.
fn parameter_of(network: &Network, constant: Value) -> Option<&Parameter> {
    let name = network.graph.value_name(constant);
    network.parameters.iter().find(|p| p.name == name)
}

/// Running statistics of normalisations whose scale is learnt.
fn collected(network: &Network) -> HashSet<Value> {
    let is = |v: Option<Value>, trainable: bool| {
        v.and_then(|v| parameter_of(network, v))
            .is_some_and(|p| p.trainable == trainable)
    };
    let mut collected = HashSet::new();
    for node in network.graph.nodes() {
        if let (Some(OpKind::BatchNormalization), &[_, scale, _, mean, variance]) =
            (node.op_kind(), &node.inputs[..])
            && is(scale, true)
            && is(mean, false)
            && is(variance, false)
        {
            collected.extend([mean, variance].into_iter().flatten());
        }
    }
    collected
}

/// The network with its parameters as inputs, in training mode.
struct Lifting<'a> {
    network: &'a Network,
    settings: &'a Settings,
    graph: Graph,
    values: HashMap<Value, Value>,
    /// Running statistics that training moves.
    collected: HashSet<Value>,
    parameters: Vec<Learnt>,
    /// Statistics and their next values.
    states: Vec<(State, Value)>,
    step: Value,
    /// Dropouts so far.
    masks: u32,
}

impl<'a> Lifting<'a> {
    fn new(network: &'a Network, settings: &'a Settings) -> Self {
        let mut graph = Graph::new(format!("{} step", network.graph.name));
        let scalar = TensorType::scalar(DType::F32);
        graph.add_input(RATE, scalar.clone());
        let step = graph.add_input(STEP, scalar);
        Lifting {
            network,
            settings,
            graph,
            values: HashMap::new(),
            collected: collected(network),
            parameters: Vec::new(),
            states: Vec::new(),
            step,
            masks: 0,
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), TypeError> {
        let name = node.outputs.first().map_or("", |o| o.name.as_str());
        let value = match &node.kind {
            NodeKind::Input => {
                let mut ty = node.outputs[0].ty.clone();
                for dim in &mut ty.shape {
                    if matches!(dim, Dim::Sym { name, .. } if &**name == BATCH) {
                        *dim = Dim::Fixed(self.settings.batch as u64);
                    }
                }
                self.graph.add_input(name, ty)
            }
            NodeKind::Constant(tensor) => self.constant(node.id.into(), name, tensor),
            NodeKind::Op(op) => return self.operator(node, op),
        };
        self.values.insert(node.id.into(), value);
        Ok(())
    }

    /// What is learnt or collected becomes an input; what is frozen stays.
    fn constant(&mut self, old: Value, name: &str, tensor: &Tensor) -> Value {
        let changes = |p: &&Parameter| p.trainable || self.collected.contains(&old);
        let parameter = self.parameter_of(old).filter(changes);
        let Some(parameter) = parameter else {
            return self.graph.add_constant(name, tensor.clone());
        };
        let value = self.graph.add_input(name, tensor.ty());
        if parameter.trainable {
            self.parameters.push(Learnt {
                name: name.to_string(),
                value,
                initial: tensor.clone(),
                decay: parameter.decay,
            });
        }
        value
    }

    fn operator(&mut self, node: &Node, op: &Op) -> Result<(), TypeError> {
        let inputs: Vec<Option<Value>> = node
            .inputs
            .iter()
            .map(|v| v.and_then(|v| self.values.get(&v).copied()))
            .collect();
        match op.kind {
            OpKind::BatchNormalization if self.collects(node) => {
                self.normalization(node, op, inputs)
            }
            OpKind::Dropout => self.dropout(node, &inputs),
            _ => {
                let names: Vec<&str> = node.outputs.iter().map(|o| o.name.as_str()).collect();
                let new = self.graph.add(op.clone(), inputs, &names, &node.label)?;
                for slot in 0..node.outputs.len() as u32 {
                    let old = Value {
                        node: node.id,
                        slot,
                    };
                    self.values.insert(old, Value { node: new, slot });
                }
                Ok(())
            }
        }
    }

    fn parameter_of(&self, old: Value) -> Option<&'a Parameter> {
        parameter_of(self.network, old)
    }

    /// Whether a normalisation's moments are collected: unless it is frozen.
    fn collects(&self, node: &Node) -> bool {
        node.inputs[3..5]
            .iter()
            .flatten()
            .all(|v| self.collected.contains(v))
    }

    fn normalization(
        &mut self,
        node: &Node,
        op: &Op,
        inputs: Vec<Option<Value>>,
    ) -> Result<(), TypeError> {
        let mut op = op.clone();
        op.attrs
            .insert("training_mode".to_string(), AttrValue::Int(1));
        let names = [node.outputs[0].name.as_str(), "", ""];
        let new = self.graph.add(op, inputs, &names, &node.label)?;
        self.values.insert(node.id.into(), new.into());
        for (slot, operand) in [(1, 3), (2, 4)] {
            let Some(source) = node.inputs[operand] else {
                continue;
            };
            let Some(initial) = self.network.graph.constant(source) else {
                continue;
            };
            let name = self.network.graph.value_name(source).to_string();
            let state = State {
                next: format!("{name}.next"),
                name,
                initial: initial.clone(),
                kind: StateKind::Statistic,
            };
            self.states.push((state, Value { node: new, slot }));
        }
        Ok(())
    }

    /// `y = x / (1 - ratio)` where a hash of seed, mask, step and element says so, else 0.
    fn dropout(&mut self, node: &Node, inputs: &[Option<Value>]) -> Result<(), TypeError> {
        let Some(x) = inputs[0] else { return Ok(()) };
        let ratio = inputs.get(1).copied().flatten();
        let ratio = ratio.and_then(|v| self.graph.constant(v));
        let ratio = ratio
            .and_then(|t| t.to_f64().first().copied())
            .unwrap_or(0.5);
        let shape = self.graph.ty(x).fixed_shape().unwrap_or_default();
        let ty = self.graph.ty(x).dtype;
        let seed = self
            .settings
            .seed
            .wrapping_add(self.masks.wrapping_mul(0x85eb_ca6b));
        self.masks += 1;
        let word = |v: u32| Ex::int(DType::U32, v.into());
        let step = Ex::arg(1, DType::F32).cast(DType::I32).cast(DType::U32);
        let start = step
            .binary(BinaryOp::Mul, &word(0x9e37_79b9))
            .binary(BinaryOp::Add, &word(seed));
        let kept = Ex::float(DType::F32, ratio).le(&Ex::uniform(&shape, &start));
        let x_arg = Ex::arg(0, ty);
        let y = kept.select(&(&x_arg * (1.0 / (1.0 - ratio))), &x_arg.lit(0.0));
        let y = map(&mut self.graph, &y, &[x, self.step])?;
        self.values.insert(node.id.into(), y);
        Ok(())
    }
}

struct Updating<'a> {
    graph: &'a mut Graph,
    settings: &'a Settings,
}

impl Updating<'_> {
    fn run(mut self, parameters: &[Learnt], found: Vec<Value>) -> Result<Vec<State>, TypeError> {
        let inputs = self.graph.inputs().to_vec();
        let input = |graph: &Graph, name: &str| {
            let mut inputs = inputs.iter().map(|&id| Value::from(id));
            inputs.find(|v| graph.value_name(*v) == name)
        };
        let (Some(rate), Some(step)) = (input(self.graph, RATE), input(self.graph, STEP)) else {
            return Ok(Vec::new());
        };
        let gradients = self.penalised(parameters, found)?;
        let gradients = self.clipped(gradients)?;
        let [rate_arg, step_arg] = [0, 1].map(|k| Ex::arg(k, DType::F32));
        let scalar = self.settings.optimizer.scalar(&rate_arg, &step_arg);
        let scalar = map(self.graph, &scalar, &[rate, step])?;
        let mut states = Vec::new();
        for (parameter, gradient) in parameters.iter().zip(gradients) {
            states.extend(self.parameter(parameter, gradient, [rate, scalar])?);
        }
        Ok(states)
    }

    fn parameter(
        &mut self,
        parameter: &Learnt,
        gradient: Value,
        [rate, scalar]: [Value; 2],
    ) -> Result<Vec<State>, TypeError> {
        let optimizer = self.settings.optimizer;
        let ty = self.graph.ty(parameter.value).clone();
        let mut operands = vec![parameter.value, gradient];
        let mut states = vec![(
            parameter.name.clone(),
            parameter.initial.clone(),
            StateKind::Parameter,
        )];
        for slot in optimizer.slots() {
            let name = format!("{}.{slot}", parameter.name);
            operands.push(self.graph.add_input(&name, ty.clone()));
            let shape = parameter.initial.shape();
            let zeros = vec![0.0; parameter.initial.len()];
            states.push((
                name,
                Tensor::from_f64(ty.dtype, shape, &zeros),
                StateKind::Slot,
            ));
        }
        let count = operands.len();
        operands.extend([rate, scalar]);
        let arg = |k: usize| Ex::arg(k, DType::F32);
        let update = optimizer.update(&Element {
            parameter: arg(0),
            gradient: arg(1),
            slots: (2..count).map(arg).collect(),
            rate: arg(count),
            scalar: arg(count + 1),
        });
        let results = [update.parameter].into_iter().chain(update.slots);
        let mut made = Vec::new();
        for ((name, initial, kind), result) in states.into_iter().zip(results) {
            let value = used(self.graph, &result, &operands)?;
            let next = format!("{name}.next");
            self.graph.add_output(&next, value);
            made.push(State {
                name,
                next,
                initial,
                kind,
            });
        }
        Ok(made)
    }

    /// Gradients of the loss with the penalties of the weights.
    fn penalised(
        &mut self,
        parameters: &[Learnt],
        found: Vec<Value>,
    ) -> Result<Vec<Value>, TypeError> {
        let Settings { l1, l2, .. } = *self.settings;
        let pairs = parameters.iter().zip(found);
        let penalise = |(parameter, gradient): (&Learnt, Value)| {
            if !parameter.decay || l1 == 0.0 && l2 == 0.0 {
                return Ok(gradient);
            }
            let [g, p] = [0, 1].map(|k| Ex::arg(k, DType::F32));
            let slope = g + &p * (2.0 * l2) + p.unary(cnnc_ir::expr::UnaryOp::Sign) * l1;
            map(self.graph, &slope, &[gradient, parameter.value])
        };
        pairs.map(penalise).collect()
    }

    fn clipped(&mut self, gradients: Vec<Value>) -> Result<Vec<Value>, TypeError> {
        let g = Ex::arg(0, DType::F32);
        match self.settings.clip {
            None => Ok(gradients),
            Some(Clip::Value(limit)) => {
                let held = g.clamp(-limit, limit);
                let hold = |v: Value| map(self.graph, &held, &[v]);
                gradients.into_iter().map(hold).collect()
            }
            Some(Clip::Norm(limit)) => {
                let mut total: Option<Value> = None;
                for &gradient in &gradients {
                    let square = map(self.graph, &(&g * &g), &[gradient])?;
                    let sum = reduce(self.graph, OpKind::ReduceSum, square, None)?;
                    total = Some(match total {
                        None => sum,
                        Some(before) => {
                            let both = Ex::arg(0, DType::F32) + Ex::arg(1, DType::F32);
                            map(self.graph, &both, &[before, sum])?
                        }
                    });
                }
                let Some(total) = total else {
                    return Ok(gradients);
                };
                let norm = Ex::arg(1, DType::F32).sqrt();
                let factor = norm.lit(limit) / norm.max(&norm.lit(limit));
                let hold = |v: Value| map(self.graph, &(&g * &factor), &[v, total]);
                gradients.into_iter().map(hold).collect()
            }
        }
    }
}

/// A map of an expression in those of the operands that it reads.
fn used(graph: &mut Graph, expr: &Ex, operands: &[Value]) -> Result<Value, TypeError> {
    let code = expr.finish();
    let reads = |k: usize| {
        let arg = cnnc_ir::expr::ExprOp::Arg(k as u32);
        code.insts.iter().any(|inst| inst.op == arg)
    };
    let read: Vec<usize> = (0..operands.len()).filter(|&k| reads(k)).collect();
    let args: Vec<Ex> = (0..operands.len())
        .map(|k| Ex::arg(read.binary_search(&k).unwrap_or(0), DType::F32))
        .collect();
    let operands: Vec<Value> = read.into_iter().map(|k| operands[k]).collect();
    map(graph, &code.apply(&args), &operands)
}
