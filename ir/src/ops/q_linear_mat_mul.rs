//! QLinearMatMul: the product of dequantised matrices, quantised; sums are exact.
//! <https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html>

use super::integer_product::{Operand, check_scalar, lay, requantize};
use super::mat_mul_integer::{infer, sum};
use crate::compose::Composer;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, TensorType};

const Y_SCALE: usize = 6;
const Y_ZERO: usize = 7;

pub static DEF: OpDef = OpDef {
    name: "QLinearMatMul",
    since: 10,
    inputs: &[
        Input::new("a", "T1"),
        Input::new("a_scale", "TS"),
        Input::new("a_zero_point", "T1"),
        Input::new("b", "T2"),
        Input::new("b_scale", "TS"),
        Input::new("b_zero_point", "T2"),
        Input::new("y_scale", "TS"),
        Input::new("y_zero_point", "T3"),
    ],
    outputs: &[Output::new("y", "T3")],
    types: &[
        ("TS", &[DType::F32, DType::F16, DType::BF16]),
        ("T1", sets::BYTE),
        ("T2", sets::BYTE),
        ("T3", sets::BYTE),
    ],
    infer: |cx| {
        let shape = infer(cx, operands(cx)?)?;
        check_scalar(cx, Y_SCALE)?;
        check_scalar(cx, Y_ZERO)?;
        Ok(vec![TensorType::new(cx.dtype(Y_ZERO)?, shape)])
    },
    semantics: |cx| {
        let [a, b] = operands(cx)?;
        let mut c = Composer::new(cx);
        let sum = sum(cx, &mut c, [a, b])?;
        let rank = c.ty(sum).rank();
        // Rows and columns are the result's last axes, unless a vector has none.
        let row = a
            .axis
            .and(rank.checked_sub(if b.axis.is_some() { 2 } else { 1 }));
        let column = b.axis.and(rank.checked_sub(1));
        let [a_scale, b_scale, y_scale, zero] = [1, 4, Y_SCALE, Y_ZERO].map(|i| c.arg(i));
        let scales = [
            lay(&mut c, a_scale, rank, row)?,
            lay(&mut c, b_scale, rank, column)?,
            lay(&mut c, y_scale, rank, None)?,
        ];
        let zero = lay(&mut c, zero, rank, None)?;
        let y = requantize(&mut c, sum, scales, zero)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn operands(cx: &Cx) -> Result<[Operand; 2], TypeError> {
    let (a, b) = (cx.rank(0)?, cx.rank(3)?);
    Ok([
        Operand {
            value: 0,
            scale: Some(1),
            zero: 2,
            axis: a.checked_sub(2),
        },
        Operand {
            value: 3,
            scale: Some(4),
            zero: 5,
            axis: (b > 1).then(|| b - 1),
        },
    ])
}
