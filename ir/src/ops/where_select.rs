//! Where: `y = x where the condition holds, else y`, broadcast. <https://onnx.ai/onnx/operators/onnx__Where.html>

use super::elementwise::arg;
use crate::class::Semantics;
use crate::schema::{Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "Where",
    since: 9,
    inputs: &[Input::new("condition", "bool"), Input::new("X", "T"), Input::new("Y", "T")],
    types: &[("T", sets::ALL)],
    infer: |cx| {
        let mut types = cx.infer_broadcast()?;
        types[0].dtype = cx.dtype(1)?;
        Ok(types)
    },
    semantics: |cx| Ok(Semantics::Elementwise(arg(cx, 0)?.select(&arg(cx, 1)?, &arg(cx, 2)?).finish())),
    ..OpDef::NEW
};
