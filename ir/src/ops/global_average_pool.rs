//! GlobalAveragePool: the mean over all spatial axes, kept as extents of 1.
//! <https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html>

use crate::class::Combine;
use crate::expr::Ex;
use crate::ops::pooling;
use crate::schema::{Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "GlobalAveragePool",
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    infer: pooling::infer_global,
    semantics: |cx| {
        let dtype = cx.dtype(0)?;
        let mean = Ex::arg(0, dtype) / Ex::arg(1, dtype);
        pooling::semantics_global(cx, Combine::Sum, None, Some(mean.finish()))
    },
    ..OpDef::NEW
};
