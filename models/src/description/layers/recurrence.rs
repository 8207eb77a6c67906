//! Recurrent layers over N, T, features: the last step's output (N, units), or with `sequence=true` every step's (N, T, units).
//!
//! Weights lie as ONNX has them: `weight` 1, gates x units, features; `recurrent` 1, gates x units, units; `bias` both biases, 1, 2 x gates x
//! units. A GRU resets behind its recurrent product, as those of Keras and PyTorch do.

use super::super::builder::Role;
use super::super::call::Call;
use super::super::value::Fault;
use super::Built;
use cnnc_ir::{AttrValue, DType, OpKind, Tensor};

pub fn rnn(call: &mut Call) -> Built {
    let activation = match call.word("activation", &["tanh", "relu", "sigmoid"])? {
        Some(word) if word == "relu" => "Relu",
        Some(word) if word == "sigmoid" => "Sigmoid",
        _ => "Tanh",
    };
    let activations = AttrValue::Strs(vec![activation.to_string()]);
    recurrent(call, OpKind::RNN, 1, ("activations", activations))
}

pub fn lstm(call: &mut Call) -> Built {
    recurrent(call, OpKind::LSTM, 4, ("input_forget", AttrValue::Int(0)))
}

pub fn gru(call: &mut Call) -> Built {
    recurrent(
        call,
        OpKind::GRU,
        3,
        ("linear_before_reset", AttrValue::Int(1)),
    )
}

fn recurrent(call: &mut Call, kind: OpKind, gates: u64, attr: (&str, AttrValue)) -> Built {
    let (x, units) = (call.tensor("x")?, call.count("units")?);
    if call.ty(x).rank() != 3 {
        let ty = call.ty(x);
        return Err(call.fault(format!("needs N x T x features, its operand is {ty}")));
    }
    let (features, dtype) = (call.extent(x, 2)?, call.ty(x).dtype);
    let rows = gates * units;
    let weight = call.initializer("init", "glorot_uniform", [features, rows])?;
    let weight = call.parameter("weight", dtype, &[1, rows, features], weight, Role::Weight)?;
    let recurrent = call.initializer("init", "glorot_uniform", [units, rows])?;
    let recurrent = call.parameter(
        "recurrent",
        dtype,
        &[1, rows, units],
        recurrent,
        Role::Weight,
    )?;
    let zeros = call.initializer("bias_init", "zeros", [1, 1])?;
    let bias = call.parameter("bias", dtype, &[1, 2 * rows], zeros, Role::Bias)?;
    let swapped = ("perm", AttrValue::Ints(vec![1, 0, 2]));
    let by_step = call.op(OpKind::Transpose, &[x], [swapped.clone()])?;
    let operands = [by_step, weight, recurrent, bias];
    let hidden = ("hidden_size", AttrValue::Int(units as i64));
    let operands = operands.into_iter().map(Some).collect();
    let outputs = call.multi(kind, operands, [hidden, attr], 1)?;
    let every = outputs.first().copied().ok_or(Fault::Consequence)?;
    // T, directions, N, units: gradients are known of this result only, so the last step is taken from it.
    let direction = call.constant(Tensor::ints(&[1]));
    let every = call.op(OpKind::Squeeze, &[every, direction], [])?;
    if call.flag("sequence", false)? {
        return call.op(OpKind::Transpose, &[every], [swapped]);
    }
    let last = call.constant(Tensor::scalar_i64(DType::I64, -1));
    call.op(
        OpKind::Gather,
        &[every, last],
        [("axis", AttrValue::Int(0))],
    )
}
