//! The activation functions of recurrent layers.

use crate::wire::{wire_enum, wire_list, wire_struct};

/// A function with its parameters; those a kind does not name are ignored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    pub kind: ActivationKind,
    pub alpha: f32,
    pub beta: f32,
}

/// Functions by ONNX's names; a is alpha, b is beta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    Tanh,
    Sigmoid,
    Relu,
    /// `a x + b`
    Affine,
    /// `x` where positive, else `a x`
    LeakyRelu,
    /// `x` where above `a`, else 0
    ThresholdedRelu,
    /// `a tanh(b x)`
    ScaledTanh,
    /// `a x + b` within 0..1
    HardSigmoid,
    /// `x` where positive, else `a (exp(x) - 1)`
    Elu,
    /// `x / (1 + |x|)`
    Softsign,
    /// `log(1 + exp(x))`
    Softplus,
}

wire_struct!(Activation { kind, alpha, beta });
wire_list!(Activation);
wire_enum!(ActivationKind "activation" {
    0 => Tanh, 1 => Sigmoid, 2 => Relu, 3 => Affine, 4 => LeakyRelu, 5 => ThresholdedRelu, 6 => ScaledTanh, 7 => HardSigmoid,
    8 => Elu, 9 => Softsign, 10 => Softplus,
});
