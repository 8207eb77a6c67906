//! ArgMin: position of the least element along `axis`, the first or (`select_last_index`) the last of several. <https://onnx.ai/onnx/operators/onnx__ArgMin.html>

use super::reduction;
use crate::class::Combine;
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ArgMin",
    inputs: &[Input::new("data", "T")],
    outputs: &[Output::new("reduced", "i64")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[Attr::int("axis", 0), Attr::int("keepdims", 1), Attr::int("select_last_index", 0).since(12)],
    infer: |cx| reduction::infer_position(cx),
    semantics: |cx| reduction::position(cx, Combine::ArgMin { last: cx.flag("select_last_index")? }),
    ..OpDef::NEW
};
