//! DynamicQuantizeLinear: bytes whose scale and zero point span the values and 0: `y_scale = (max(x, 0) - min(x, 0)) / 255`,
//! `y_zero_point = saturate(round(-min(x, 0) / y_scale))`, `y = saturate(round(x / y_scale) + y_zero_point)`.
//! <https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html>
//!
//! Where all values are 0 the scale is 1.

use super::quantization::{map, quantize};
use crate::compose::Composer;
use crate::ops::OpKind::{ReduceMax, ReduceMin};
use crate::schema::{Input, OpDef, Output};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "DynamicQuantizeLinear",
    since: 11,
    inputs: &[Input::new("x", "f32")],
    outputs: &[
        Output::new("y", "u8"),
        Output::new("y_scale", "f32"),
        Output::new("y_zero_point", "u8"),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        if x.elements() == Some(0) {
            return Err(cx.error("an empty input has no range"));
        }
        Ok(vec![
            x.with_dtype(DType::U8),
            TensorType::scalar(DType::F32),
            TensorType::scalar(DType::U8),
        ])
    },
    semantics: |cx| {
        let axes: Vec<i64> = (0..cx.rank(0)? as i64).collect();
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let (low, high) = (
            c.reduce(ReduceMin, x, &axes, false)?,
            c.reduce(ReduceMax, x, &axes, false)?,
        );
        let scale = map(&mut c, &[low, high], DType::F32, |a| {
            let zero = a[0].lit(0.0);
            let span = a[1].max(&zero) - a[0].min(&zero);
            span.eq(&zero).select(&zero.lit(1.0), &(span / 255.0))
        })?;
        let zero = map(&mut c, &[low, scale], DType::U8, |a| {
            quantize(&a[0].min(&a[0].lit(0.0)).neg(), &a[1], None, DType::U8)
        })?;
        let y = map(&mut c, &[x, scale, zero], DType::U8, |a| {
            quantize(&a[0], &a[1], Some(&a[2]), DType::U8)
        })?;
        c.finish(&[y, scale, zero])
    },
    ..OpDef::NEW
};
