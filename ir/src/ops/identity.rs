//! Identity: `y = x`. <https://onnx.ai/onnx/operators/onnx__Identity.html>

use crate::class::{Movement, Semantics};
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Identity",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};
