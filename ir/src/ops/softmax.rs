//! Softmax: `y = e^(x - max) / sum e^(x - max)` along `axis`. <https://onnx.ai/onnx/operators/onnx__Softmax.html>
//!
//! Before opset 13 the tensor counts as a matrix, rows ending at `axis`; computed in f32 at least.

use super::OpKind::{Div, ReduceSum};
use super::softmax_family::{self, Family};
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Softmax",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: softmax_family::ATTRS,
    infer: |cx| softmax_family::infer(cx),
    adapt: Some(softmax_family::adapt),
    semantics: |cx| softmax_family::compose(cx, |f: &mut Family| {
        let powers = f.powers()?;
        let sum = f.c.reduce(ReduceSum, powers, &f.axes, true)?;
        f.c.op(Div, &[powers, sum])
    }),
    ..OpDef::NEW
};
