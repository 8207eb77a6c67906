//! [RNN](https://onnx.ai/onnx/operators/onnx__RNN.html), [GRU](https://onnx.ai/onnx/operators/onnx__GRU.html) and
//! [LSTM](https://onnx.ai/onnx/operators/onnx__LSTM.html) with all their options.

mod activation;
mod cell;
mod sequence;

pub use activation::{Activation, ActivationKind};

use crate::dtype::DType;
use crate::error::KernelError;
use crate::operands::Operands;
use crate::wire::{wire_enum, wire_struct};
use sequence::Recurrence;

/// The order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
    Bidirectional,
}

wire_enum!(Direction "direction" { 0 => Forward, 1 => Reverse, 2 => Bidirectional });

/// `H = f(X W + H R + b)`. Inputs: X, W, R, optionally B, sequence_lens (i32), initial_h. Outputs, optional: Y, Y_h.
#[derive(Clone, Debug, PartialEq)]
pub struct Rnn {
    pub hidden_size: u32,
    pub direction: Direction,
    /// ONNX's `layout = 1`: the batch comes before time.
    pub batch_first: bool,
    /// One a direction: f.
    pub activations: Vec<Activation>,
    pub clip: Option<f32>,
}

/// Gates z, r and candidate h. Inputs and outputs as of [`Rnn`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    pub hidden_size: u32,
    pub direction: Direction,
    pub batch_first: bool,
    /// Two a direction: f of the gates, g of the candidate.
    pub activations: Vec<Activation>,
    pub clip: Option<f32>,
    /// The reset gate multiplies `H R + b` rather than H.
    pub linear_before_reset: bool,
}

/// Gates i, o, f, c. Inputs: X, W, R, optionally B, sequence_lens (i32), initial_h, initial_c, P (peepholes). Outputs, optional:
/// Y, Y_h, Y_c.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    pub hidden_size: u32,
    pub direction: Direction,
    pub batch_first: bool,
    /// Three a direction: f of the gates, g of the cell's input, h of the cell's output.
    pub activations: Vec<Activation>,
    pub clip: Option<f32>,
    /// The forget gate is `1 - i`.
    pub input_forget: bool,
}

wire_struct!(Rnn {
    hidden_size,
    direction,
    batch_first,
    activations,
    clip
});
wire_struct!(Gru {
    hidden_size,
    direction,
    batch_first,
    activations,
    clip,
    linear_before_reset
});
wire_struct!(Lstm {
    hidden_size,
    direction,
    batch_first,
    activations,
    clip,
    input_forget
});

impl Rnn {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let recurrence = Recurrence {
            hidden: self.hidden_size as usize,
            direction: self.direction,
            batch_first: self.batch_first,
        };
        match operands.dtype(0)? {
            DType::F64 => recurrence.run::<f64, _>(operands, self),
            _ => recurrence.run::<f32, _>(operands, self),
        }
    }
}

impl Gru {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let recurrence = Recurrence {
            hidden: self.hidden_size as usize,
            direction: self.direction,
            batch_first: self.batch_first,
        };
        match operands.dtype(0)? {
            DType::F64 => recurrence.run::<f64, _>(operands, self),
            _ => recurrence.run::<f32, _>(operands, self),
        }
    }
}

impl Lstm {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let recurrence = Recurrence {
            hidden: self.hidden_size as usize,
            direction: self.direction,
            batch_first: self.batch_first,
        };
        match operands.dtype(0)? {
            DType::F64 => recurrence.run::<f64, _>(operands, self),
            _ => recurrence.run::<f32, _>(operands, self),
        }
    }
}
