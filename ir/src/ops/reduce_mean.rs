//! ReduceMean: the mean over `axes` (all of them where none are given). <https://onnx.ai/onnx/operators/onnx__ReduceMean.html>

use super::reduction;
use crate::class::Combine;
use crate::expr::Ex;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceMean",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(18)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: reduction::ATTRS,
    infer: |cx| reduction::infer(cx),
    semantics: |cx| {
        let x = Ex::arg(0, cx.dtype(0)?);
        reduction::semantics(cx, Combine::Sum, None, Some((&x / &Ex::arg(1, cx.dtype(0)?)).finish()))
    },
    ..OpDef::NEW
};
