//! MaxPoolIndices: position of every window's maximum in the flattened input, the second output of MaxPool on its own.
//! <https://onnx.ai/onnx/operators/onnx__MaxPool.html>

use crate::class::WindowKind;
use crate::ops::{max_pool, pooling};
use crate::schema::{CNNC, Input, OpDef, Output};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "MaxPoolIndices",
    domain: CNNC,
    inputs: &[Input::new("X", "T")],
    outputs: &[Output::new("Indices", "i64")],
    types: &[("T", max_pool::TYPES)],
    attrs: &max_pool::ATTRS,
    infer: |cx| Ok(vec![pooling::infer(cx)?.with_dtype(DType::I64)]),
    semantics: |cx| {
        let column_major = max_pool::storage_order(cx)?;
        pooling::semantics(cx, WindowKind::ArgMax { column_major })
    },
    ..OpDef::NEW
};
