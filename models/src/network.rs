//! A network that can learn: its graph for inference, which of its constants are parameters, and how it wants to be trained.
//!
//! Here is data only. A description gives a [`Network`]; what makes a training step of it reads [`Parameter`] and [`Training`].

use crate::data::Augmentation;
use crate::loss::Loss;
use crate::optimizer::{Adam, Optimizer};
use crate::schedule::Schedule;
use crate::stopping::EarlyStopping;
use cnnc_ir::Graph;

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
        let mut nodes = self.graph.nodes();
        let node = nodes.find(|n| n.outputs.iter().any(|o| o.name == name))?;
        self.graph.constant(node.id.into()).map(|t| t.len())
    }
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
