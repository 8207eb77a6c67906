//! ReduceSum: the sum over `axes` (all of them where none are given). <https://onnx.ai/onnx/operators/onnx__ReduceSum.html>

use crate::class::Combine;
use crate::ops::reduction;
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceSum",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(13)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[
        Attr::int("keepdims", 1),
        Attr::int("noop_with_empty_axes", 0).since(13),
        Attr::ints("axes").until(12).becomes_input(1),
    ],
    infer: |cx| reduction::infer(cx),
    semantics: |cx| reduction::semantics(cx, Combine::Sum, None, None),
    ..OpDef::NEW
};
