//! Activations, as layers and as words behind other layers.

use super::super::call::Call;
use super::Built;
use cnnc_ir::graph::Value;
use cnnc_ir::{AttrValue, OpKind};

/// Words for activations; `linear` is none.
pub const NAMES: [&str; 18] = [
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "mish",
    "hard_sigmoid",
    "hard_swish",
    "softplus",
    "softsign",
    "softmax",
    "log_softmax",
];

/// The activation that the layer's word says.
pub fn apply(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let word = call.callee.text.clone();
    activate(call, x, &word)
}

/// What the argument `activation` says, if it is given.
pub fn optional(call: &mut Call, x: Value) -> Built {
    match call.word("activation", &NAMES)? {
        Some(word) => activate(call, x, &word),
        None => Ok(x),
    }
}

pub fn leaky_relu(call: &mut Call) -> Built {
    let (x, alpha) = (call.tensor("x")?, call.number_or("alpha", 0.01)?);
    call.op(
        OpKind::LeakyRelu,
        &[x],
        [("alpha", AttrValue::Float(alpha))],
    )
}

pub fn softmax(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let axis = call.int_or("axis", classes(call, x))?;
    call.op(OpKind::Softmax, &[x], [("axis", AttrValue::Int(axis))])
}

/// The axis of classes: of images the channels, else the last.
fn classes(call: &Call, x: Value) -> i64 {
    if call.ty(x).rank() > 3 { 1 } else { -1 }
}

fn activate(call: &mut Call, x: Value, word: &str) -> Built {
    let kind = match word {
        "relu" => OpKind::Relu,
        "elu" => OpKind::Elu,
        "selu" => OpKind::Selu,
        "celu" => OpKind::Celu,
        "sigmoid" => OpKind::Sigmoid,
        "tanh" => OpKind::Tanh,
        "gelu" => OpKind::Gelu,
        "mish" => OpKind::Mish,
        "hard_swish" => OpKind::HardSwish,
        "softplus" => OpKind::Softplus,
        "softsign" => OpKind::Softsign,
        "leaky_relu" => OpKind::LeakyRelu,
        "hard_sigmoid" => {
            // clip(x / 6 + 0.5, 0, 1), the slope of MobileNetV3; ONNX's own default is 0.2.
            let alpha = ("alpha", AttrValue::Float(1.0 / 6.0));
            return call.op(OpKind::HardSigmoid, &[x], [alpha]);
        }
        "silu" => {
            let gate = call.op(OpKind::Sigmoid, &[x], [])?;
            return call.op(OpKind::Mul, &[x, gate], []);
        }
        "relu6" => {
            let [low, high] = [0.0, 6.0].map(|v| call.scalar(x, v));
            return call.op(OpKind::Clip, &[x, low, high], []);
        }
        "softmax" | "log_softmax" => {
            let axis = ("axis", AttrValue::Int(classes(call, x)));
            let kind = match word {
                "softmax" => OpKind::Softmax,
                _ => OpKind::LogSoftmax,
            };
            return call.op(kind, &[x], [axis]);
        }
        _ => return Ok(x),
    };
    call.op(kind, &[x], [])
}
