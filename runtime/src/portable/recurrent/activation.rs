//! The activation functions of recurrent layers.

use crate::portable::number::Real;
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

impl Activation {
    /// Applies the function to each of `values`.
    pub(super) fn apply<R: Real>(&self, values: &mut [R]) {
        let a = R::from_f64(f64::from(self.alpha));
        let b = R::from_f64(f64::from(self.beta));
        match self.kind {
            ActivationKind::Tanh => map(values, R::tanh),
            ActivationKind::Sigmoid => map(values, |x| R::ONE / (R::ONE + (-x).exp())),
            ActivationKind::Relu => map(values, |x| x.larger(R::ZERO)),
            ActivationKind::Affine => map(values, |x| a * x + b),
            ActivationKind::LeakyRelu => map(values, |x| if x < R::ZERO { a * x } else { x }),
            ActivationKind::ThresholdedRelu => map(values, |x| if x > a { x } else { R::ZERO }),
            ActivationKind::ScaledTanh => map(values, |x| a * (b * x).tanh()),
            ActivationKind::HardSigmoid => {
                map(values, |x| (a * x + b).larger(R::ZERO).smaller(R::ONE));
            }
            ActivationKind::Elu => {
                map(values, |x| {
                    if x < R::ZERO {
                        a * (x.exp() - R::ONE)
                    } else {
                        x
                    }
                });
            }
            ActivationKind::Softsign => map(values, |x| x / (R::ONE + x.larger(-x))),
            // log(1 + exp(x)) without overflow.
            ActivationKind::Softplus => {
                map(values, |x| {
                    x.larger(R::ZERO) + (-x.larger(-x)).exp().ln_1p()
                });
            }
        }
    }
}

fn map<R: Real>(values: &mut [R], f: impl Fn(R) -> R) {
    for value in values {
        *value = f(*value);
    }
}
