//! Range: `y[i] = start + i * delta` for `i` in `0..ceil((limit - start) / delta)`.
//! <https://onnx.ai/onnx/operators/onnx__Range.html>
//!
//! The three scalars must be constants, since they decide the extent. Half types are computed in f32, which is what
//! `stash_type` 1 asks for.

use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Range",
    since: 11,
    inputs: &[
        Input::new("start", "T"),
        Input::new("limit", "T"),
        Input::new("delta", "T"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", {
        use DType::*;
        &[F32, F64, F16, BF16, I16, I32, I64]
    })],
    attrs: &[Attr::int("stash_type", 1).since(27)],
    infer: |cx| {
        let extent = Dim::Fixed(extent(cx)?);
        Ok(vec![TensorType::new(cx.dtype(0)?, [extent])])
    },
    semantics: |cx| {
        let dtype = cx.dtype(0)?;
        let (start, delta) = (Ex::arg(0, dtype), Ex::arg(2, dtype));
        let i = Ex::index(0).cast(dtype.compute());
        Ok(Semantics::Elementwise((start + i * delta).finish()))
    },
    ..OpDef::NEW
};

fn extent(cx: &Cx) -> Result<u64, TypeError> {
    for i in 0..3 {
        if cx.constant(i)?.len() != 1 {
            return Err(cx.error(format!("input {i} must be a scalar, is {}", cx.ty(i)?)));
        }
    }
    if cx.dtype(0)?.is_float() {
        let scalar = |i| Ok(cx.constant(i)?.to_f64()[0]);
        let (start, limit, delta): (f64, f64, f64) = (scalar(0)?, scalar(1)?, scalar(2)?);
        let count = ((limit - start) / delta).ceil().max(0.0);
        if delta == 0.0 || !(start + limit + delta).is_finite() || count >= i64::MAX as f64 {
            return Err(cx.error(format!(
                "range from {start} to {limit} by delta {delta} has no end"
            )));
        }
        return Ok(count as u64);
    }
    let scalar = |i| Ok(i128::from(cx.const_int(i)?));
    let (start, limit, delta): (i128, i128, i128) = (scalar(0)?, scalar(1)?, scalar(2)?);
    let distance = if delta < 0 {
        start - limit
    } else {
        limit - start
    };
    match delta.abs() {
        0 => Err(cx.error(format!("range from {start} to {limit} has delta zero"))),
        _ if distance <= 0 => Ok(0),
        step => Ok(((distance - 1) / step + 1) as u64),
    }
}
