//! GlobalMaxPool: the maximum over all spatial axes, kept as extents of 1.
//! <https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html>

use crate::class::Combine;
use crate::ops::pooling;
use crate::schema::{Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "GlobalMaxPool",
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    infer: pooling::infer_global,
    semantics: |cx| pooling::semantics_global(cx, Combine::Max, None, None),
    ..OpDef::NEW
};
