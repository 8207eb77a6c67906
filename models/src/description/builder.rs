//! The graph under construction: names of layers and parameters, and initial values.
//!
//! A layer's name is its path: the names of the blocks around it and its own, each what `name="..."` says, or the word it was called by
//! and a number (`residual2.conv1`). Parameters are named after their layer (`residual2.conv1.weight`).

use crate::initializer::Initializer;
use crate::network::Parameter;
use crate::random::Random;
use cnnc_ir::graph::{Graph, Op, Value};
use cnnc_ir::schema::check::Candidate;
use cnnc_ir::types::{DType, element_count};
use cnnc_ir::{Attrs, OpKind, Tensor};
use std::collections::{HashMap, HashSet};

/// Bytes that all parameters of a network may take.
const MOST_BYTES: usize = 1 << 33;

/// Nodes of a graph: beyond, a repetition has run away.
const MOST_NODES: usize = 200_000;

pub(super) struct Builder {
    pub graph: Graph,
    pub parameters: Vec<Parameter>,
    /// `None` leaves parameters zero.
    seed: Option<u64>,
    /// Paths that are taken.
    titles: HashSet<String>,
    /// How often each word was called at each path.
    calls: HashMap<String, usize>,
    bytes: usize,
}

/// What a parameter is to the training that changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Learnt, and shrunk where weights decay.
    Weight,
    /// Learnt only: biases, scales.
    Bias,
    /// Collected: running mean and variance.
    Statistic,
}

impl Builder {
    pub fn new(name: &str, seed: Option<u64>) -> Builder {
        Builder {
            graph: Graph::new(name),
            parameters: Vec::new(),
            seed,
            titles: HashSet::new(),
            calls: HashMap::new(),
            bytes: 0,
        }
    }

    /// The path of a new layer below `prefix` (empty, or ending in a dot).
    pub fn title(
        &mut self,
        prefix: &str,
        word: &str,
        name: Option<&str>,
    ) -> Result<String, String> {
        if let Some(name) = name {
            let path = format!("{prefix}{name}");
            return match self.titles.insert(path.clone()) {
                true => Ok(path),
                false => Err(format!("the name '{path}' is taken")),
            };
        }
        let count = self.calls.entry(format!("{prefix}{word}")).or_insert(0);
        loop {
            *count += 1;
            let path = format!("{prefix}{word}{count}");
            if self.titles.insert(path.clone()) {
                return Ok(path);
            }
        }
    }

    /// A parameter of that shape, drawn for its name and the seed.
    pub fn parameter(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[u64],
        initializer: &Initializer,
        role: Role,
    ) -> Result<Value, String> {
        let shape: Option<Vec<usize>> = shape.iter().map(|&n| usize::try_from(n).ok()).collect();
        let size = shape.as_ref().and_then(|s| {
            let count = element_count(s)?;
            let total = count.checked_mul(dtype.size())?.checked_add(self.bytes)?;
            (total <= MOST_BYTES).then_some((count, total))
        });
        let (Some(shape), Some((count, total))) = (shape, size) else {
            return Err(format!(
                "parameter '{name}' is too large: a network may have {} GiB of them",
                MOST_BYTES >> 30
            ));
        };
        self.bytes = total;
        let tensor = match self.seed {
            None => Tensor::new(dtype, shape, vec![0; count * dtype.size()].into()),
            Some(seed) => {
                let purpose = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
                let mut random = Random::of(&[seed, purpose]);
                let values = initializer.values(&shape, &mut random);
                Some(Tensor::from_f64(dtype, &shape, &values))
            }
        };
        let tensor = tensor.ok_or_else(|| format!("parameter '{name}' has no size"))?;
        let value = self.graph.add_constant(name, tensor);
        self.parameters.push(Parameter {
            name: self.graph.value_name(value).to_string(),
            trainable: role != Role::Statistic,
            decay: role == Role::Weight,
        });
        Ok(value)
    }

    /// An operator with as many outputs as there are names; `title` is what it belongs to.
    pub fn operator(
        &mut self,
        kind: OpKind,
        inputs: Vec<Option<Value>>,
        attrs: Attrs,
        names: &[&str],
        title: &str,
    ) -> Result<Vec<Value>, String> {
        if self.graph.len() >= MOST_NODES {
            return Err(format!("the network has more than {MOST_NODES} nodes"));
        }
        let of = |v: &Option<Value>| v.map(|v| self.graph.ty(v));
        let types: Vec<_> = inputs.iter().map(of).collect();
        let candidate = Candidate {
            def: kind.def(),
            opset: None,
            attrs: &attrs,
            inputs: &types,
            outputs: names.len(),
            bodies: 0,
        };
        if let Some(error) = candidate.check().first() {
            return Err(error.to_string());
        }
        let shown: Vec<String> = types.iter().flatten().map(|t| t.to_string()).collect();
        let op = Op {
            kind,
            attrs,
            bodies: Vec::new(),
            epilogue: None,
        };
        let added = self.graph.add(op, inputs, names, title);
        let node = added.map_err(|e| format!("{e} (operands: {})", shown.join(", ")))?;
        let slots = 0..names.len() as u32;
        Ok(slots.map(|slot| Value { node, slot }).collect())
    }
}

impl Builder {
    /// Copies an imported graph; the constants that its layers multiply and add are parameters, which `frozen` keeps as they are.
    pub fn inline(
        &mut self,
        imported: &Graph,
        args: &[Value],
        title: &str,
        frozen: bool,
    ) -> Result<Vec<Value>, cnnc_ir::TypeError> {
        let first = self.graph.next_id();
        let outputs = self
            .graph
            .inline(imported, args, &format!("{title}."), title)?;
        let new = self.graph.nodes().filter(|n| n.id.0 >= first);
        for node in new {
            let value = Value::from(node.id);
            let Some(tensor) = self.graph.constant(value) else {
                continue;
            };
            let users = self.graph.users(value).into_iter();
            let mut roles = users.filter_map(|(user, slot)| {
                role(self.graph.node(user).op_kind()?, slot, tensor.shape().len())
            });
            if let Some(role) = roles.next().filter(|_| tensor.dtype().is_float()) {
                self.parameters.push(Parameter {
                    name: self.graph.value_name(value).to_string(),
                    trainable: role != Role::Statistic && !frozen,
                    decay: role == Role::Weight,
                });
            }
        }
        Ok(outputs)
    }
}

/// What a constant of `rank` axes is as that operand of an operator; `None` where it is none that is learnt.
fn role(kind: OpKind, slot: usize, rank: usize) -> Option<Role> {
    use OpKind::*;
    match (kind, slot, rank) {
        (BatchNormalization, 3 | 4, _) => Some(Role::Statistic),
        (BatchNormalization | LayerNormalization | GroupNormalization, 1 | 2, _) => {
            Some(Role::Bias)
        }
        (Conv | ConvTranspose | RNN | LSTM | GRU, 1 | 2, 2..) => Some(Role::Weight),
        (Gemm | MatMul, 0 | 1, 2..) | (Gather, 0, 2..) => Some(Role::Weight),
        (Conv | ConvTranspose | Gemm, 2, _) | (RNN | LSTM | GRU, 3, _) => Some(Role::Bias),
        (Add, _, 1..) | (PRelu, 1, _) => Some(Role::Bias),
        _ => None,
    }
}
