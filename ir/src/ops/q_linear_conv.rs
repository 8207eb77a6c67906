//! QLinearConv: the convolution of dequantised bytes plus a bias (of scale `x_scale * w_scale`), quantised; sums are exact.
//! <https://onnx.ai/onnx/operators/onnx__QLinearConv.html>

use super::conv;
use super::conv_integer::{infer, sum};
use super::integer_product::{Operand, check_scalar, lay, requantize};
use crate::compose::Composer;
use crate::ops::OpKind::Add;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, TensorType};

const X: Operand = Operand {
    value: 0,
    scale: Some(1),
    zero: 2,
    axis: None,
};
const W: Operand = Operand {
    value: 3,
    scale: Some(4),
    zero: 5,
    axis: Some(0),
};
const Y_SCALE: usize = 6;
const Y_ZERO: usize = 7;
const BIAS: usize = 8;

pub static DEF: OpDef = OpDef {
    name: "QLinearConv",
    since: 10,
    inputs: &[
        Input::new("x", "T1"),
        Input::new("x_scale", "f32"),
        Input::new("x_zero_point", "T1"),
        Input::new("w", "T2"),
        Input::new("w_scale", "f32"),
        Input::new("w_zero_point", "T2"),
        Input::new("y_scale", "f32"),
        Input::new("y_zero_point", "T3"),
        Input::new("B", "i32").optional(),
    ],
    outputs: &[Output::new("y", "T3")],
    types: &[("T1", sets::BYTE), ("T2", sets::BYTE), ("T3", sets::BYTE)],
    attrs: conv::ATTRS,
    infer: |cx| Ok(vec![result(cx)?]),
    semantics: |cx| {
        let rank = cx.rank(0)?;
        let mut c = Composer::new(cx);
        let mut acc = sum(cx, &mut c, X, W)?;
        if let Some(bias) = c.get(BIAS) {
            let bias = lay(&mut c, bias, rank, Some(1))?;
            acc = c.cast(acc, DType::I32)?;
            acc = c.op(Add, &[acc, bias])?;
        }
        let [x_scale, w_scale, y_scale, zero] = [1, 4, Y_SCALE, Y_ZERO].map(|i| c.arg(i));
        let scales = [
            lay(&mut c, x_scale, rank, None)?,
            lay(&mut c, w_scale, rank, Some(1))?,
            lay(&mut c, y_scale, rank, None)?,
        ];
        let zero = lay(&mut c, zero, rank, None)?;
        let y = requantize(&mut c, acc, scales, zero)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn result(cx: &Cx) -> Result<TensorType, TypeError> {
    let y = infer(cx, X, W, Some(BIAS))?;
    check_scalar(cx, Y_SCALE)?;
    check_scalar(cx, Y_ZERO)?;
    for (i, part) in [(4, "scale"), (5, "zero point")] {
        if cx.rank(i)? > 1 {
            return Err(cx.error(format!("the weights' {part} must be a scalar or a vector")));
        }
    }
    Ok(y.with_dtype(cx.dtype(Y_ZERO)?))
}
