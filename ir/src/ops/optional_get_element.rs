//! OptionalGetElement: the element of an optional value; of a tensor, the tensor itself.
//! <https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html>

use super::elementwise::map;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "OptionalGetElement",
    since: 15,
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    semantics: |cx| map(cx, Clone::clone),
    ..OpDef::NEW
};
