//! A network that can learn: its graph for inference, which of its constants are parameters, and how it wants to be trained.
//!
//! Here is data only. A description gives a [`Network`]; what makes a training step of it reads [`Parameter`] and [`Training`].

use crate::data::Augmentation;
use crate::loss::Loss;
use crate::optimizer::{Adam, Optimizer};
use crate::schedule::Schedule;
use crate::stopping::EarlyStopping;
use cnnc_ir::graph::Output;
use cnnc_ir::text::{Style, print};
use cnnc_ir::{DType, Graph, NodeKind, Tensor, TensorType, Value, spelling};
use std::collections::HashMap;
use std::str::FromStr;
use xxhash_rust::xxh3::Xxh3;

/// A network, its parameters' values in place.
#[derive(Clone, Debug)]
pub struct Network {
    /// The inference form. The first dimension of every input is the batch, the symbol `N`.
    pub graph: Graph,
    /// In the order of the description.
    pub parameters: Vec<Parameter>,
    pub training: Option<Training>,
}

impl Network {
    /// Number of elements of the parameters that are learnt.
    pub fn trainable_count(&self) -> usize {
        let learnt = self.parameters.iter().filter(|p| p.trainable);
        learnt.filter_map(|p| self.element_count(&p.name)).sum()
    }

    /// Number of elements of the constant of that name.
    fn element_count(&self, name: &str) -> Option<usize> {
        self.constants()
            .get(name)
            .and_then(|&v| self.graph.constant(v))
            .map(Tensor::len)
    }

    /// The graph's constants by name.
    fn constants(&self) -> HashMap<&str, Value> {
        let constants = self
            .graph
            .nodes()
            .filter(|n| matches!(n.kind, NodeKind::Constant(_)));
        constants
            .map(|n| (n.outputs[0].name.as_str(), n.id.into()))
            .collect()
    }

    /// A hash of all that training does not change: the graph, and the constants that are not learnt.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = Xxh3::new();
        hasher.update(print(&self.graph, Style::Brief).as_bytes());
        for node in self.graph.nodes() {
            let is_learnt = |o: &Output| self.parameters.iter().any(|p| p.name == o.name);
            if let NodeKind::Constant(tensor) = &node.kind
                && !node.outputs.iter().any(is_learnt)
            {
                hasher.update(tensor.bytes());
            }
        }
        hasher.digest()
    }

    /// The parameters' values, in the order of the description.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        let constants = self.constants();
        let value = |p: &Parameter| {
            let tensor = self.graph.constant(*constants.get(p.name.as_str())?)?;
            Some((p.name.clone(), tensor.clone()))
        };
        self.parameters.iter().filter_map(value).collect()
    }

    /// The error where a parameter's value is not there.
    pub(crate) fn missing(&self, name: &str) -> WeightError {
        let constants = self.constants();
        let ty = constants.get(name).map(|&v| self.graph.ty(v).clone());
        WeightError::Missing {
            name: name.to_string(),
            expected: ty.unwrap_or(TensorType::scalar(DType::F32)),
        }
    }

    /// Gives parameters other values; those not named keep theirs.
    ///
    /// # Errors
    /// If a name is no parameter's, or a tensor has not its type.
    pub fn set_weights<'a>(
        &mut self,
        weights: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    ) -> Result<(), WeightError> {
        let constants = self.constants();
        let mut found = Vec::new();
        for (name, tensor) in weights {
            let is_parameter = self.parameters.iter().any(|p| p.name == name);
            let Some(&constant) = constants.get(name).filter(|_| is_parameter) else {
                let known = self.parameters.iter().map(|p| p.name.as_str());
                return Err(WeightError::Unknown {
                    hint: spelling::hint(name, known),
                    name: name.to_string(),
                });
            };
            let expected = self.graph.ty(constant);
            if *expected != tensor.ty() {
                return Err(WeightError::Type {
                    name: name.to_string(),
                    expected: expected.clone(),
                    found: tensor.ty(),
                });
            }
            found.push((constant, tensor));
        }
        for (constant, tensor) in found {
            self.graph.set_constant(constant, tensor.clone());
        }
        Ok(())
    }
}

/// Why a network does not take weights.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    #[error("the network has no parameter '{name}'{hint}")]
    Unknown { name: String, hint: String },
    #[error("parameter '{name}' is {expected}, not {found}")]
    Type {
        name: String,
        expected: TensorType,
        found: TensorType,
    },
    #[error("parameter '{name}', {expected}, is missing")]
    Missing { name: String, expected: TensorType },
}

/// A constant of the graph that training changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Of the constant.
    pub name: String,
    /// False for what is collected and not learnt: running means and variances.
    pub trainable: bool,
    /// Whether decay and penalties shrink it: weights, not biases and scales.
    pub decay: bool,
}

/// How a network wants to be trained; the command line may say otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    pub loss: Loss,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    /// Factor of the sum of absolute values of the weights in the loss.
    pub l1: f64,
    /// Factor of the sum of squares of the weights in the loss.
    pub l2: f64,
    pub clip: Option<Clip>,
    /// Samples a step.
    pub batch: u64,
    pub epochs: u64,
    /// Names as [`crate::metrics::Metrics`] reads them.
    pub metrics: Vec<String>,
    pub augment: Augmentation,
    pub early_stopping: Option<EarlyStopping>,
}

/// What gradients are held to before they are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Elements stay within this on both sides of 0.
    Value(f64),
    /// The norm of all gradients together.
    Norm(f64),
}

/// `norm=X` or `value=X`.
impl FromStr for Clip {
    type Err = String;

    fn from_str(text: &str) -> Result<Clip, String> {
        let (key, value) = text.split_once('=').unwrap_or(("", text));
        let bound = value.parse().ok().filter(|v: &f64| *v > 0.0);
        match (key, bound) {
            ("norm", Some(bound)) => Ok(Clip::Norm(bound)),
            ("value", Some(bound)) => Ok(Clip::Value(bound)),
            _ => Err("expected norm=X or value=X, X above 0".to_string()),
        }
    }
}

impl Default for Training {
    /// Cross-entropy and Adam, batches of 32, ten epochs.
    fn default() -> Training {
        Training {
            loss: Loss::CrossEntropy { smoothing: 0.0 },
            optimizer: Optimizer::Adam(Adam::default()),
            schedule: Schedule::default(),
            l1: 0.0,
            l2: 0.0,
            clip: None,
            batch: 32,
            epochs: 10,
            metrics: vec!["accuracy".into()],
            augment: Augmentation::default(),
            early_stopping: None,
        }
    }
}
