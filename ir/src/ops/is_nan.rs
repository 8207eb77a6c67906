//! IsNaN: `y = x is NaN`. <https://onnx.ai/onnx/operators/onnx__IsNaN.html>

use super::elementwise::map;
use crate::expr::UnaryOp;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "IsNaN",
    since: 9,
    inputs: &[Input::new("X", "T")],
    outputs: &[Output::new("Y", "bool")],
    types: &[("T", sets::FLOAT)],
    infer: |cx| cx.infer_predicate(),
    semantics: |cx| map(cx, |x| x.unary(UnaryOp::IsNan)),
    ..OpDef::NEW
};
