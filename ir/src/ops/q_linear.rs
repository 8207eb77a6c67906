//! Operators of com.microsoft that compute on dequantised operands and quantise the result: declarations and meaning.
//!
//! Scales and zero points have one element; a zero point that is left out is 0.

use super::quantization::{quantized, real};
use crate::attrs::Attrs;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::ops::integer_product::check_scalar;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{TensorType, broadcast};

/// Domain of ONNX Runtime's own operators.
pub const MICROSOFT: &str = "com.microsoft";

/// One operand: `X, X_scale, [X_zero_point], Y_scale, [Y_zero_point]`, a result of its shape.
pub const UNARY: OpDef = OpDef {
    domain: MICROSOFT,
    inputs: &[
        Input::new("X", "T"),
        Input::new("X_scale", "f32"),
        Input::new("X_zero_point", "T").optional(),
        Input::new("Y_scale", "f32"),
        Input::new("Y_zero_point", "T").optional(),
    ],
    outputs: &[Output::new("Y", "T")],
    types: &[("T", sets::BYTE)],
    infer: |cx| {
        check_scalars(cx)?;
        cx.same_as(0)
    },
    ..OpDef::NEW
};

/// Two operands that broadcast: `A, A_scale, [A_zero_point], B, B_scale, [B_zero_point], C_scale, [C_zero_point]`.
pub const BINARY: OpDef = OpDef {
    domain: MICROSOFT,
    inputs: &[
        Input::new("A", "T"),
        Input::new("A_scale", "f32"),
        Input::new("A_zero_point", "T").optional(),
        Input::new("B", "T"),
        Input::new("B_scale", "f32"),
        Input::new("B_zero_point", "T").optional(),
        Input::new("C_scale", "f32"),
        Input::new("C_zero_point", "T").optional(),
    ],
    outputs: &[Output::new("C", "T")],
    types: &[("T", sets::BYTE)],
    infer: |cx| {
        let (a, b) = (cx.ty(0)?, cx.ty(3)?);
        check_scalars(cx)?;
        let shape = broadcast(&a.shape, &b.shape)
            .ok_or_else(|| cx.error(format!("shapes do not broadcast: {a}, {b}")))?;
        Ok(vec![TensorType::new(a.dtype, shape)])
    },
    ..OpDef::NEW
};

/// Checks every declared scale and zero point.
pub fn check_scalars(cx: &Cx) -> Result<(), TypeError> {
    let named = cx.def.inputs.iter().enumerate();
    named
        .filter(|(_, d)| d.name.ends_with("scale") || d.name.ends_with("zero_point"))
        .try_for_each(|(i, _)| check_scalar(cx, i))
}

/// `quantize(kind(dequantize(x)))` with those attributes.
pub fn unary(cx: &Cx, kind: OpKind, attrs: Attrs) -> Result<Semantics, TypeError> {
    let mut c = Composer::new(cx);
    let x = real(&mut c, 0)?;
    let y = c.multi(kind, vec![Some(x)], attrs, 1)?[0];
    let y = quantized(&mut c, y, 3, cx.dtype(0)?)?;
    c.finish(&[y])
}

/// `quantize(kind(dequantize(a), dequantize(b)))`.
pub fn binary(cx: &Cx, kind: OpKind) -> Result<Semantics, TypeError> {
    let mut c = Composer::new(cx);
    let (a, b) = (real(&mut c, 0)?, real(&mut c, 3)?);
    let y = c.op(kind, &[a, b])?;
    let y = quantized(&mut c, y, 6, cx.dtype(0)?)?;
    c.finish(&[y])
}
