//! Hardmax: 1 at the first greatest element along `axis`, 0 elsewhere. <https://onnx.ai/onnx/operators/onnx__Hardmax.html>
//!
//! Before opset 13 the tensor counts as a matrix, rows ending at `axis`; computed in f32 at least.

use super::softmax_family::{self, Family};
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Hardmax",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: softmax_family::ATTRS,
    infer: |cx| softmax_family::infer(cx),
    adapt: Some(softmax_family::adapt),
    semantics: |cx| softmax_family::compose(cx, |f: &mut Family| {
        f.first_maximum()
    }),
    ..OpDef::NEW
};
