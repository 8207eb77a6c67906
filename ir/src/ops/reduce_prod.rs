//! ReduceProd: the product over `axes` (all of them where none are given). <https://onnx.ai/onnx/operators/onnx__ReduceProd.html>

use super::reduction;
use crate::class::Combine;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceProd",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(18)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: reduction::ATTRS,
    infer: |cx| reduction::infer(cx),
    semantics: |cx| {
        
        reduction::semantics(cx, Combine::Prod, None, None)
    },
    ..OpDef::NEW
};
