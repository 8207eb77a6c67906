//! The layers: each a word, its parameters, and a function that adds it to the graph.
//!
//! A `?` marks parameters that may be left out; every layer also takes `name="..."`. Images are channels first (N, C, H, W), sequences
//! N, T, features.

pub(super) mod activation;
mod contraction;
mod pooling;
mod recurrence;
mod regularisation;
mod shape;

use super::call::Call;
use super::value::Fault;
use cnnc_ir::graph::Value;

/// What a layer makes of its arguments.
pub(super) type Built = Result<Value, Fault>;

pub(super) struct Layer {
    pub word: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static str,
    pub build: fn(&mut Call) -> Built,
}

const fn layer(
    word: &'static str,
    parameters: &'static str,
    build: fn(&mut Call) -> Built,
) -> Layer {
    Layer {
        word,
        parameters,
        build,
    }
}

pub(super) const LAYERS: [Layer; 23] = [
    layer(
        "conv",
        "x channels kernel activation? stride? pad? dilation? groups? bias? init? bias_init?",
        contraction::conv,
    ),
    layer(
        "depthwise_conv",
        "x kernel activation? stride? pad? dilation? multiplier? bias? init? bias_init?",
        contraction::depthwise_conv,
    ),
    layer(
        "conv_transpose",
        "x channels kernel activation? stride? pad? output_pad? dilation? groups? bias? init? bias_init?",
        contraction::conv_transpose,
    ),
    layer(
        "dense",
        "x units activation? bias? init? bias_init?",
        contraction::dense,
    ),
    layer(
        "embedding",
        "x vocabulary width init?",
        contraction::embedding,
    ),
    layer("max_pool", "x kernel stride? pad?", pooling::max_pool),
    layer(
        "avg_pool",
        "x kernel stride? pad? count_pad?",
        pooling::avg_pool,
    ),
    layer("global_avg_pool", "x keep?", pooling::global_avg_pool),
    layer("global_max_pool", "x keep?", pooling::global_max_pool),
    layer(
        "batch_norm",
        "x activation? epsilon? momentum?",
        regularisation::batch_norm,
    ),
    layer(
        "layer_norm",
        "x activation? epsilon?",
        regularisation::layer_norm,
    ),
    layer(
        "group_norm",
        "x groups activation? epsilon?",
        regularisation::group_norm,
    ),
    layer("dropout", "x rate", regularisation::dropout),
    layer("flatten", "x", shape::flatten),
    layer("reshape", "x shape", shape::reshape),
    layer("transpose", "x axes", shape::transpose),
    layer("pad", "x width value?", shape::pad),
    layer("upsample", "x factor mode?", shape::upsample),
    layer(
        "rnn",
        "x units activation? sequence? init?",
        recurrence::rnn,
    ),
    layer("lstm", "x units sequence? init?", recurrence::lstm),
    layer("gru", "x units sequence? init?", recurrence::gru),
    layer("leaky_relu", "x alpha?", activation::leaky_relu),
    layer("softmax", "x axis?", activation::softmax),
];

impl Layer {
    /// The layer of that word.
    pub fn find(word: &str) -> Option<Layer> {
        let known = LAYERS.into_iter().find(|l| l.word == word);
        known.or_else(|| {
            let word = activation::NAMES.into_iter().find(|n| *n == word)?;
            Some(layer(word, "x", activation::apply))
        })
    }

    /// Names of the parameters, `name` last.
    pub fn parameter_names(&self) -> Vec<&'static str> {
        let names = self.parameters.split(' ');
        names
            .map(|n| n.trim_end_matches('?'))
            .chain(["name"])
            .collect()
    }
}
