//! ReduceMin: the least element over `axes` (all of them where none are given). <https://onnx.ai/onnx/operators/onnx__ReduceMin.html>

use super::reduction;
use crate::class::Combine;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceMin",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(18)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::ALL)],
    attrs: reduction::ATTRS,
    infer: |cx| reduction::infer(cx),
    semantics: |cx| {
        
        reduction::semantics(cx, Combine::Min, None, None)
    },
    ..OpDef::NEW
};
