//! The description language: networks as people write them, expanded to the IR.
//!
//! ```text
//! network mnist_d
//! input image: f32[1, 28, 28]               // channels first; the batch is implied
//! x = conv(image, 32, 3x3, relu)            // shapes are inferred, parameters initialised
//! x = max_pool(x, 2x2)
//! output digit = softmax(dense(flatten(x), 10))
//! train { loss cross_entropy  optimizer adam(lr=1e-3)  batch 32  epochs 10 }
//! ```
//!
//! `zoo/README.md` holds the grammar and the layers. `lex` and `parse` read a text into `ast`; `elaborate` runs its statements once and
//! `evaluate`s their expressions; `arguments` are what a network's parameters are given from outside; `layers` add to the graph through a `call` and the `builder`; `operator` is the escape hatch to ONNX's
//! operators; `train` reads the section on training, `section` writes one.
//!
//! Deliberately absent: files and formats. Who reads a description says what its imports are.

mod arguments;
mod ast;
mod builder;
mod call;
mod cursor;
mod elaborate;
mod evaluate;
mod layers;
mod lex;
mod operator;
mod parse;
mod section;
mod train;
mod value;

pub use arguments::Arguments;
pub use section::section;

use crate::network::Network;
use cnnc_ir::Graph;
use cnnc_ir::text::{ParseError, ParseErrors};
use elaborate::Elaborator;

/// The symbol of the batch: the first dimension of every input.
pub const BATCH: &str = "N";

/// Mistakes reported in one run.
const MOST_MISTAKES: usize = 20;

/// Whether a text is a description, and not the IR's own text form: whether it begins with `network`.
pub fn is_description(text: &str) -> bool {
    let (tokens, _) = lex::tokens(text);
    tokens.first().is_some_and(|t| t.text == "network")
}

/// Expands a description. `arguments` are for the parameters in its head, `network vgg16(classes=1000)`; where they say nothing, defaults
/// serve. Weights are drawn from `seed`, each for its name; without one they are zero, which is enough for shapes.
///
/// `import` finds the graph behind the file name of an `import`, or says why not. The errors are all mistakes in the text.
pub fn expand(
    text: &str,
    arguments: &Arguments,
    seed: Option<u64>,
    import: &dyn Fn(&str) -> Result<Graph, String>,
) -> Result<Network, ParseErrors> {
    let (file, mistakes) = parse::parse(text);
    if !mistakes.is_empty() {
        return Err(errors(text, mistakes));
    }
    let mut elaborator = Elaborator::new(&file, seed, import);
    elaborator.network(&file, arguments);
    let mut mistakes = elaborator.mistakes;
    let training = file.train.as_ref().map(|train| {
        let (training, more) = train::training(train);
        mistakes.extend(more);
        training
    });
    if !mistakes.is_empty() {
        return Err(errors(text, mistakes));
    }
    let mut graph = elaborator.builder.graph;
    graph.sweep();
    let mut parameters = elaborator.builder.parameters;
    parameters.retain(|p| graph.has_name(&p.name));
    Ok(Network {
        graph,
        parameters,
        training,
    })
}

/// In the order of the text, each once.
fn errors(text: &str, mut mistakes: Vec<lex::Mistake>) -> ParseErrors {
    mistakes.sort();
    // A block called twice tells its mistakes twice.
    mistakes.dedup_by_key(|m| m.0);
    let mistakes = mistakes.into_iter().take(MOST_MISTAKES);
    let errors = mistakes.map(|(at, message)| ParseError::at(text, at, message));
    ParseErrors(errors.collect())
}
