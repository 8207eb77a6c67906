//! ArrayFeatureExtractor: the elements `y` along the last axis of `x`. <https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html>

use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::ops::OpKind::Gather;
use crate::schema::{Cx, Input, OpDef, Output, TypeError};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "ArrayFeatureExtractor",
    domain: "ai.onnx.ml",
    inputs: &[Input::new("X", "T"), Input::new("Y", "i64")],
    outputs: &[Output::new("Z", "T")],
    types: &[("T", &[DType::F32, DType::F64, DType::I64, DType::I32])],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, shape(cx)?)]),
    semantics: |cx| {
        let shape = shape(cx)?;
        let mut c = Composer::new(cx);
        let (x, y) = (c.arg(0), c.arg(1));
        let picked = shape.last().copied().unwrap_or(0);
        let y = c.reshape(y, &[picked])?;
        let z = c.with(Gather, &[x, y], [("axis", AttrValue::Int(-1))])?;
        let z = c.reshape(z, &shape)?;
        c.finish(&[z])
    },
    ..OpDef::NEW
};

/// The shape of `x` with as many elements along the last axis as are asked for; a vector counts as one row.
fn shape(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let (mut shape, picked) = (cx.shape(0)?, cx.shape(1)?.iter().product());
    match shape.last_mut() {
        Some(last) => *last = picked,
        None => return Err(cx.error("a scalar has no features")),
    }
    if shape.len() == 1 {
        shape.insert(0, 1);
    }
    Ok(shape)
}
