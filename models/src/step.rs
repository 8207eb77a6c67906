//! A training step as a graph: forward, loss, gradients, update; and the form by which a network is judged.
//!
//! The step is a pure function; what it remembers are [`State`]s, inputs with a result that takes their place in the next step:
//!
//! ```text
//! (x.., targets, [sample_weights], rate, step, parameters.., slots.., statistics..) -> (loss, scores, the same again..)
//! ```
//!
//! Batch normalisation uses the batch's moments and moves the running ones; dropout draws its mask from a hash of the seed, the step
//! and the element, so that a step that is computed again is the same.
//!
//! The form for judging has the network's own output, running moments and no dropout. Its states are those that a step changes; it leaves
//! them as they are, so whoever trains hands them over and compiles it once:
//!
//! ```text
//! (x.., targets, parameters.., statistics..) -> (losses, scores, the same again..)
//! ```

mod lift;
mod update;

use crate::loss::{Loss, map};
use crate::network::{Clip, Network};
use crate::optimizer::Optimizer;
use cnnc_ir::autodiff::{GradientError, gradients};
use cnnc_ir::{DType, Ex, Graph, Tensor, TensorType, TypeError, Value};
use lift::{Lifting, Mode};
use thiserror::Error;
use update::Updating;
pub(crate) use update::advance;

/// Names of the inputs that every step has.
pub const TARGETS: &str = "targets";
pub const RATE: &str = "rate";
pub const STEP: &str = "step";
/// Name of the input that a weighted step has besides: a factor for every label, f32\[N\], or f32\[N, H, W\] of a map.
pub const SAMPLE_WEIGHTS: &str = "sample_weights";
/// Names of the outputs that every step has.
pub const LOSS: &str = "loss";
pub const SCORES: &str = "scores";
/// Name of the losses of the samples, f32\[N\], where a network is judged.
pub const LOSSES: &str = "losses";

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
    /// Whether every label's loss has a factor of its own, an input: the loss is the mean of the products.
    pub weighted: bool,
    /// Of dropout.
    pub seed: u32,
}

/// A graph and what it remembers.
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

impl State {
    fn new(name: &str, initial: Tensor, kind: StateKind) -> State {
        State {
            name: name.to_string(),
            next: format!("{name}.next"),
            initial,
            kind,
        }
    }
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
    let mode = Mode::Training {
        seed: settings.seed,
    };
    let lifted = lifted(network, settings.batch, mode)?;
    if lifted.parameters.is_empty() {
        return Err(StepError::NothingToLearn);
    }
    let scores = lifted.value(scores(network, settings.loss));
    let Lifting {
        mut graph,
        mut states,
        parameters,
        ..
    } = lifted;
    let first = graph.next_id();
    let loss = loss(&mut graph, scores, settings)?;
    graph.label_since(first, LOSS);
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

/// Makes the form by which a network is judged: its scores as it gives them, and the loss of every sample.
///
/// # Errors
/// If the network has not exactly one output, or does not type-check with that batch.
pub fn judgement(network: &Network, loss: Loss, batch: usize) -> Result<Step, StepError> {
    let lifted = lifted(network, batch, Mode::Inference)?;
    let logits = lifted.value(scores(network, loss));
    let output = lifted.value(output(network)?);
    let Lifting {
        mut graph,
        states,
        parameters,
        ..
    } = lifted;
    let losses = targets(&mut graph, logits, loss)
        .and_then(|targets| loss.each(&mut graph, logits, targets))
        .map_err(|source| unfit(&graph, logits, source))?;
    graph.add_output(LOSSES, losses);
    graph.add_output(SCORES, output);
    let learnt = parameters.into_iter().map(|p| {
        let state = State::new(&p.name, p.initial, StateKind::Parameter);
        (state, p.value)
    });
    let mut all = Vec::new();
    for (state, value) in learnt.chain(states) {
        graph.add_output(&state.next, value);
        all.push(state);
    }
    graph.sweep();
    Ok(Step { graph, states: all })
}

/// The network in a graph of its own, its parameters inputs.
fn lifted(network: &Network, batch: usize, mode: Mode) -> Result<Lifting<'_>, StepError> {
    if batch == 0 {
        return Err(StepError::Batch);
    }
    output(network)?;
    let mut lifting = Lifting::new(network, batch, mode);
    for id in network.graph.order() {
        let node = network.graph.node(id);
        lifting.node(node).map_err(|source| StepError::Type {
            node: node.title().to_string(),
            source,
        })?;
    }
    Ok(lifting)
}

/// The only output.
fn output(network: &Network) -> Result<Value, StepError> {
    match network.graph.outputs() {
        [(_, output)] => Ok(*output),
        outputs => Err(StepError::Outputs {
            found: outputs.len(),
        }),
    }
}

/// Appends the loss of a step.
fn loss(graph: &mut Graph, scores: Value, settings: &Settings) -> Result<Value, StepError> {
    let appended = match settings.weighted {
        false => targets(graph, scores, settings.loss)
            .and_then(|targets| settings.loss.append(graph, scores, targets)),
        true => weighted(graph, scores, settings),
    };
    appended.map_err(|source| unfit(graph, scores, source))
}

/// The mean of the losses of the labels, each with its weight.
fn weighted(graph: &mut Graph, scores: Value, settings: &Settings) -> Result<Value, TypeError> {
    let targets = targets(graph, scores, settings.loss)?;
    let each = settings.loss.each_label(graph, scores, targets)?;
    let weights = graph.add_input(SAMPLE_WEIGHTS, graph.ty(each).clone());
    let product = Ex::arg(0, DType::F32) * Ex::arg(1, DType::F32);
    let products = map(graph, &product, &[each, weights])?;
    crate::loss::reduce(graph, cnnc_ir::OpKind::ReduceMean, products, None)
}

fn targets(graph: &mut Graph, scores: Value, loss: Loss) -> Result<Value, TypeError> {
    let ty: TensorType = loss.targets(graph.ty(scores));
    Ok(graph.add_input(TARGETS, ty))
}

fn unfit(graph: &Graph, scores: Value, source: TypeError) -> StepError {
    StepError::Loss {
        output: graph.ty(scores).to_string(),
        source,
    }
}

/// What the loss reads: the output, or what stands before an operator that the loss has of its own.
fn scores(network: &Network, loss: Loss) -> Value {
    let (_, output) = network.graph.outputs()[0];
    loss.logits(&network.graph, output).unwrap_or(output)
}
