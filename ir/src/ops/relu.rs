//! Relu: `y = max(x, 0)`, NaN stays. <https://onnx.ai/onnx/operators/onnx__Relu.html>

use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "Relu",
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::SIGNED)],
    semantics: |cx| {
        let x = Ex::arg(0, cx.dtype(0)?);
        Ok(Semantics::Elementwise(x.max(&x.lit(0.0)).finish()))
    },
    ..OpDef::NEW
};
