//! RNN: `h = f(x W' + h R' + b)`, step by step. <https://onnx.ai/onnx/operators/onnx__RNN.html>

use crate::class::Cell;
use crate::ops::recurrence::{self, ATTRS};
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "RNN",
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("R", "T"),
        Input::new("B", "T").optional(),
        Input::new("sequence_lens", "i32").optional(),
        Input::new("initial_h", "T").optional(),
    ],
    outputs: &[
        Output::new("Y", "T").optional(),
        Output::new("Y_h", "T").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &ATTRS,
    infer: |cx| recurrence::infer(cx, Cell::Rnn),
    semantics: |cx| recurrence::semantics(cx, Cell::Rnn, false, false),
    ..OpDef::NEW
};
