//! Add: `c = a + b` with numpy broadcasting. <https://onnx.ai/onnx/operators/onnx__Add.html>

use super::elementwise::{BROADCAST, align};
use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Add",
    inputs: &[Input::new("A", "T"), Input::new("B", "T")],
    outputs: &[Output::new("C", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: BROADCAST,
    infer: |cx| cx.infer_broadcast(),
    semantics: |cx| {
        let (a, b) = (Ex::arg(0, cx.dtype(0)?), Ex::arg(1, cx.dtype(1)?));
        Ok(Semantics::Elementwise((a + b).finish()))
    },
    adapt: Some(align),
    ..OpDef::NEW
};
