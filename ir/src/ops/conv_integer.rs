//! ConvInteger: `y = conv(x - x_zero_point, w - w_zero_point)` of bytes, in i32.
//! <https://onnx.ai/onnx/operators/onnx__ConvInteger.html>

use super::conv;
use super::integer_product::{Operand, product};
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, TensorType};

const X: Operand = Operand {
    value: 0,
    scale: None,
    zero: 2,
    axis: None,
};
const W: Operand = Operand {
    value: 1,
    scale: None,
    zero: 3,
    axis: Some(0),
};

pub static DEF: OpDef = OpDef {
    name: "ConvInteger",
    since: 10,
    inputs: &[
        Input::new("x", "T1"),
        Input::new("w", "T2"),
        Input::new("x_zero_point", "T1").optional(),
        Input::new("w_zero_point", "T2").optional(),
    ],
    outputs: &[Output::new("y", "i32")],
    types: &[("T1", sets::BYTE), ("T2", sets::BYTE)],
    attrs: conv::ATTRS,
    infer: |cx| Ok(vec![infer(cx, X, W, None)?.with_dtype(DType::I32)]),
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let sum = sum(cx, &mut c, X, W)?;
        let y = c.cast(sum, DType::I32)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// The type of the convolution of two quantised operands, with a bias.
pub fn infer(
    cx: &Cx,
    x: Operand,
    w: Operand,
    bias: Option<usize>,
) -> Result<TensorType, TypeError> {
    let operands = [
        cx.get(x.value),
        cx.get(w.value),
        bias.and_then(|b| cx.get(b)),
    ];
    let y = conv::infer(&Cx {
        inputs: &operands,
        ..*cx
    })?;
    x.check(cx)?;
    w.check(cx)?;
    Ok(y)
}

/// The exact convolution of two quantised operands, f32 or i32.
pub fn sum(cx: &Cx, c: &mut Composer, x: Operand, w: Operand) -> Result<Value, TypeError> {
    let shape = cx.shape(w.value)?;
    let extents = [shape[0], shape[1..].iter().product(), 1];
    product(cx, c, OpKind::Conv, cx.attrs.clone(), [x, w], Some(extents))
}
