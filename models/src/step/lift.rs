//! A network in a graph of its own, its batch fixed, its parameters inputs; in training mode or as it is.

use super::{RATE, STEP, State, StateKind};
use crate::description::BATCH;
use crate::loss::map;
use crate::network::{Network, Parameter};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::expr::BinaryOp;
use cnnc_ir::graph::{Node, Op};
use cnnc_ir::{DType, Dim, Ex, Graph, NodeKind, OpKind, Tensor, TensorType, TypeError, Value};
use std::collections::{HashMap, HashSet};

/// A parameter that is learnt.
pub(super) struct Learnt {
    pub name: String,
    pub value: Value,
    pub initial: Tensor,
    pub decay: bool,
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

#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Normalisations by the batch's moments, dropout by a hash that the seed begins.
    Training {
        seed: u32,
    },
    Inference,
}

pub(super) struct Lifting<'a> {
    network: &'a Network,
    batch: usize,
    mode: Mode,
    pub graph: Graph,
    values: HashMap<Value, Value>,
    /// Running statistics that training moves.
    collected: HashSet<Value>,
    pub parameters: Vec<Learnt>,
    /// Statistics and their next values.
    pub states: Vec<(State, Value)>,
    /// Of training: the number of the step.
    step: Option<Value>,
    /// Dropouts so far.
    masks: u32,
}

impl<'a> Lifting<'a> {
    pub fn new(network: &'a Network, batch: usize, mode: Mode) -> Self {
        let (what, trains) = match mode {
            Mode::Training { .. } => ("step", true),
            Mode::Inference => ("judgement", false),
        };
        let mut graph = Graph::new(format!("{} {what}", network.graph.name));
        let step = trains.then(|| {
            let scalar = TensorType::scalar(DType::F32);
            graph.add_input(RATE, scalar.clone());
            graph.add_input(STEP, scalar)
        });
        Lifting {
            network,
            batch,
            mode,
            graph,
            values: HashMap::new(),
            collected: collected(network),
            parameters: Vec::new(),
            states: Vec::new(),
            step,
            masks: 0,
        }
    }

    /// What a value of the network became.
    pub fn value(&self, old: Value) -> Value {
        self.values[&old]
    }

    pub fn node(&mut self, node: &Node) -> Result<(), TypeError> {
        let name = node.outputs.first().map_or("", |o| o.name.as_str());
        let value = match &node.kind {
            NodeKind::Input => {
                let mut ty = node.outputs[0].ty.clone();
                for dim in &mut ty.shape {
                    if matches!(dim, Dim::Sym { name, .. } if &**name == BATCH) {
                        *dim = Dim::Fixed(self.batch as u64);
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
        } else if matches!(self.mode, Mode::Inference) {
            let state = State::new(name, tensor.clone(), StateKind::Statistic);
            self.states.push((state, value));
        }
        value
    }

    fn operator(&mut self, node: &Node, op: &Op) -> Result<(), TypeError> {
        let inputs: Vec<Option<Value>> = node
            .inputs
            .iter()
            .map(|v| v.and_then(|v| self.values.get(&v).copied()))
            .collect();
        match (op.kind, self.mode) {
            (OpKind::BatchNormalization, Mode::Training { .. }) if self.collects(node) => {
                self.normalization(node, op, inputs)
            }
            (OpKind::Dropout, Mode::Training { seed }) => self.dropout(node, &inputs, seed),
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
            let name = self.network.graph.value_name(source);
            let state = State::new(name, initial.clone(), StateKind::Statistic);
            self.states.push((state, Value { node: new, slot }));
        }
        Ok(())
    }

    /// `y = x / (1 - ratio)` where a hash of seed, mask, step and element says so, else 0.
    fn dropout(
        &mut self,
        node: &Node,
        inputs: &[Option<Value>],
        seed: u32,
    ) -> Result<(), TypeError> {
        let (Some(x), Some(step)) = (inputs[0], self.step) else {
            return Ok(());
        };
        let ratio = inputs.get(1).copied().flatten();
        let ratio = ratio.and_then(|v| self.graph.constant(v));
        let ratio = ratio
            .and_then(|t| t.to_f64().first().copied())
            .unwrap_or(0.5);
        let shape = self.graph.ty(x).fixed_shape().unwrap_or_default();
        let ty = self.graph.ty(x).dtype;
        let seed = seed.wrapping_add(self.masks.wrapping_mul(0x85eb_ca6b));
        self.masks += 1;
        let word = |v: u32| Ex::int(DType::U32, v.into());
        let number = Ex::arg(1, DType::F32).cast(DType::I32).cast(DType::U32);
        let start = number
            .binary(BinaryOp::Mul, &word(0x9e37_79b9))
            .binary(BinaryOp::Add, &word(seed));
        let kept = Ex::float(DType::F32, ratio).le(&Ex::uniform(&shape, &start));
        let x_arg = Ex::arg(0, ty);
        let y = kept.select(&(&x_arg * (1.0 / (1.0 - ratio))), &x_arg.lit(0.0));
        let y = map(&mut self.graph, &y, &[x, step])?;
        self.values.insert(node.id.into(), y);
        Ok(())
    }
}
