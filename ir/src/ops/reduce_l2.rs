//! ReduceL2: the square root of the sum of squares over `axes` (all of them where none are given). <https://onnx.ai/onnx/operators/onnx__ReduceL2.html>

use super::reduction;
use crate::class::Combine;
use crate::expr::Ex;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceL2",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(18)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: reduction::ATTRS,
    infer: |cx| reduction::infer(cx),
    semantics: |cx| {
        let x = Ex::arg(0, cx.dtype(0)?);
        reduction::semantics(cx, Combine::Sum, Some((&x * &x).finish()), Some(x.sqrt().finish()))
    },
    ..OpDef::NEW
};
