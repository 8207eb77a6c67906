//! Style transfer: a picture is changed until a network sees one picture's content and another one's style in it (Gatys, Ecker and Bethge,
//! "Image style transfer using convolutional neural networks", 2016).
//!
//! ```text
//! loss      = P (A content + B style) + V variation          P = 3 H W, the picture's values
//! content   = mean over layers of  |F - F'|² / |F'|²         F  features of the picture, F' those of the content picture
//! style     = mean over layers of  |G - G'|² / |G'|²         G = F Fᵀ / positions, Gram's matrix; G' that of the style picture
//! variation = sum over neighbours, across and down, of (255 (x - y))²
//! ```
//!
//! Errors are relative to what they are held against, so that weights mean the same for every network and layer; with P the gradient of a
//! value does not depend on the picture's size, so neither does the step of Adam with its large epsilon.
//!
//! The step is one graph: features, losses, the gradient with respect to the picture, Adam, and a cut to 0..1. The network's parameters
//! are constants of it. Its states are the picture and what the optimiser keeps beside it.

mod features;
mod layers;
mod terms;

pub use features::Normalization;
pub use layers::{Layers, convolutions, default_layers};

use crate::loss::map;
use crate::optimizer::{Adam, Optimizer};
use crate::step::{RATE, STEP, State, StateKind, Step, advance};
use cnnc_ir::autodiff::{GradientError, gradients};
use cnnc_ir::{Composer, DType, Ex, Graph, Tensor, TensorType, TypeError, Value};
use thiserror::Error;

/// The picture: an input of the graphs for targets, a state of the step. f32\[1, 3, H, W\], 0 to 1.
pub const IMAGE: &str = "image";
/// Outputs of the step, before its update: the whole loss and the three terms, which add up to it.
pub const TERMS: [&str; 4] = ["loss", "content", "style", "variation"];

/// What is to be transferred, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub layers: Layers,
    /// A, B and V of the module's head.
    pub content_weight: f64,
    pub style_weight: f64,
    pub variation_weight: f64,
    pub optimizer: Optimizer,
    pub normalization: Normalization,
}

impl Settings {
    /// The usual weights, and Adam with rate 0.02, beta1 0.99 and epsilon 0.1.
    pub fn new(layers: Layers, normalization: Normalization) -> Settings {
        let adam = Adam {
            rate: 0.02,
            beta1: 0.99,
            epsilon: 0.1,
            ..Adam::default()
        };
        Settings {
            layers,
            content_weight: 0.02,
            style_weight: 0.1,
            variation_weight: 1e-6,
            optimizer: Optimizer::Adam(adam),
            normalization,
        }
    }
}

/// What a picture is held against, a tensor a layer: the results of [`content_graph`] and [`style_graph`].
#[derive(Clone, Debug)]
pub struct Targets {
    pub content: Vec<Tensor>,
    pub style: Vec<Tensor>,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StyleError {
    #[error("there is no layer '{name}'{hint}")]
    NoLayer { name: String, hint: String },
    #[error("no layer is named for {0}")]
    NoLayers(&'static str),
    #[error("the network has no convolution wider than 1x1: name the layers to look at")]
    NoConvolutions,
    #[error("layer '{layer}' does not depend on the picture alone: {problem}")]
    Input { layer: String, problem: String },
    #[error("input '{name}' is {ty}, expected f32[1,3,H,W]")]
    Picture { name: String, ty: String },
    #[error("layer '{name}' is {ty}, expected features f32[1,C,H,W]")]
    Features { name: String, ty: String },
    #[error(
        "a picture of {height} x {width} pixels does not fit the network: node '{node}': {source}"
    )]
    Type {
        height: usize,
        width: usize,
        node: String,
        source: TypeError,
    },
    #[error("the style loss: {0}")]
    Term(#[from] TypeError),
    #[error("targets of {found} layers, expected {expected}")]
    Targets { expected: usize, found: usize },
    #[error(transparent)]
    Gradient(#[from] GradientError),
}

/// [`IMAGE`] to the features of the content layers, for a picture of that height and width.
///
/// # Errors
/// If a layer does not exist, or the picture's size does not fit the network.
pub fn content_graph(
    network: &Graph,
    settings: &Settings,
    size: [usize; 2],
) -> Result<Graph, StyleError> {
    let (mut graph, image) = picture("content", size);
    let names = &settings.layers.content;
    let layers = features::append(&mut graph, image, network, names, settings.normalization)?;
    for (name, layer) in names.iter().zip(layers) {
        graph.add_output(name, layer);
    }
    Ok(graph)
}

/// [`IMAGE`] to Gram's matrices of the style layers, for a picture of that height and width.
///
/// # Errors
/// As of [`content_graph`].
pub fn style_graph(
    network: &Graph,
    settings: &Settings,
    size: [usize; 2],
) -> Result<Graph, StyleError> {
    let (mut graph, image) = picture("style", size);
    let names = &settings.layers.style;
    let layers = features::append(&mut graph, image, network, names, settings.normalization)?;
    let mut composer = Composer::over(graph);
    let grams = layers
        .into_iter()
        .map(|layer| terms::gram(&mut composer, layer))
        .collect::<Result<Vec<Value>, _>>()?;
    let mut graph = composer.into_graph();
    for (name, gram) in names.iter().zip(grams) {
        graph.add_output(name, gram);
    }
    Ok(graph)
}

/// A graph that takes a picture of that height and width.
fn picture(name: &str, [height, width]: [usize; 2]) -> (Graph, Value) {
    let mut graph = Graph::new(name);
    let image = graph.add_input(IMAGE, picture_type([height, width]));
    (graph, image)
}

fn picture_type([height, width]: [usize; 2]) -> TensorType {
    TensorType::new(DType::F32, [1, 3, height, width])
}

/// A step that begins at `content`, f32\[1, 3, H, W\].
///
/// # Errors
/// If a layer does not exist, the picture's size does not fit the network, or an operator on the way has no gradient.
pub fn step(
    network: &Graph,
    settings: &Settings,
    targets: &Targets,
    content: &Tensor,
) -> Result<Step, StyleError> {
    let [1, 3, height, width] = *content.shape() else {
        return Err(StyleError::Picture {
            name: IMAGE.to_string(),
            ty: content.ty().to_string(),
        });
    };
    let (mut graph, image) = picture("style transfer", [height, width]);
    let scalar = TensorType::scalar(DType::F32);
    let rate = graph.add_input(RATE, scalar.clone());
    let number = graph.add_input(STEP, scalar);
    let mut updating = Updating {
        states: vec![(IMAGE.to_string(), image, content.clone())],
        optimizer: settings.optimizer,
        rate,
        number,
    };
    updating.slots(&mut graph);

    let names = [&settings.layers.content[..], &settings.layers.style].concat();
    let layers = features::append(&mut graph, image, network, &names, settings.normalization)?;
    let (content, style) = layers.split_at(settings.layers.content.len());
    let mut composer = Composer::over(graph);
    let values = terms::losses(&mut composer, image, [content, style], settings, targets)?;
    let mut graph = composer.into_graph();
    for (name, value) in TERMS.iter().zip(values) {
        graph.add_output(name, value);
    }
    let found = gradients(&mut graph, values[0], None, &[image])?;
    let states = updating.run(&mut graph, found[0])?;
    graph.sweep();
    Ok(Step { graph, states })
}

/// The picture and the slots of its optimiser, as inputs with their first values.
struct Updating {
    states: Vec<(String, Value, Tensor)>,
    optimizer: Optimizer,
    rate: Value,
    number: Value,
}

impl Updating {
    fn slots(&mut self, graph: &mut Graph) {
        let initial = self.states[0].2.clone();
        let zeros = vec![0.0; initial.len()];
        let zeros = Tensor::from_f64(DType::F32, initial.shape(), &zeros);
        for slot in self.optimizer.slots() {
            let name = format!("{IMAGE}.{slot}");
            let value = graph.add_input(&name, zeros.ty());
            self.states.push((name, value, zeros.clone()));
        }
    }

    fn run(self, graph: &mut Graph, gradient: Value) -> Result<Vec<State>, TypeError> {
        let [rate, number] = [0, 1].map(|k| Ex::arg(k, DType::F32));
        let scalar = self.optimizer.scalar(&rate, &number);
        let scalar = map(graph, &scalar, &[self.rate, self.number])?;
        let mut operands: Vec<Value> = self.states.iter().map(|(_, value, _)| *value).collect();
        operands.insert(1, gradient);
        let shared = [self.rate, scalar];
        let values = advance(graph, &self.optimizer, operands, shared, |picture| {
            picture.clamp(0.0, 1.0)
        })?;
        let mut made = Vec::new();
        for ((name, _, initial), value) in self.states.into_iter().zip(values) {
            let next = format!("{name}.next");
            graph.add_output(&next, value);
            made.push(State {
                kind: match name == IMAGE {
                    true => StateKind::Parameter,
                    false => StateKind::Slot,
                },
                name,
                next,
                initial,
            });
        }
        Ok(made)
    }
}
