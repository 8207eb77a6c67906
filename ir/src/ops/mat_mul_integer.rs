//! MatMulInteger: `Y = (A - a_zero_point) (B - b_zero_point)` of bytes, in i32. <https://onnx.ai/onnx/operators/onnx__MatMulInteger.html>

use super::integer_product::{Operand, product};
use super::mat_mul;
use crate::attrs::Attrs;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "MatMulInteger",
    since: 10,
    inputs: &[
        Input::new("A", "T1"),
        Input::new("B", "T2"),
        Input::new("a_zero_point", "T1").optional(),
        Input::new("b_zero_point", "T2").optional(),
    ],
    outputs: &[Output::new("Y", "i32")],
    types: &[("T1", sets::BYTE), ("T2", sets::BYTE)],
    infer: |cx| {
        let shape = infer(cx, operands(cx)?)?;
        Ok(vec![TensorType::new(DType::I32, shape)])
    },
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let sum = sum(cx, &mut c, operands(cx)?)?;
        let y = c.cast(sum, DType::I32)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn operands(cx: &Cx) -> Result<[Operand; 2], TypeError> {
    let (a, b) = (cx.rank(0)?, cx.rank(1)?);
    Ok([
        Operand {
            value: 0,
            scale: None,
            zero: 2,
            axis: a.checked_sub(2),
        },
        Operand {
            value: 1,
            scale: None,
            zero: 3,
            axis: (b > 1).then(|| b - 1),
        },
    ])
}

/// The shape of the product of two quantised matrices.
pub fn infer(cx: &Cx, [a, b]: [Operand; 2]) -> Result<Vec<Dim>, TypeError> {
    let matrices = [cx.get(a.value), cx.get(b.value)];
    let shape = mat_mul::shape(&Cx {
        inputs: &matrices,
        ..*cx
    })?;
    a.check(cx)?;
    b.check(cx)?;
    Ok(shape)
}

/// The exact product of two quantised matrices, f32 or i32.
pub fn sum(cx: &Cx, c: &mut Composer, [a, b]: [Operand; 2]) -> Result<Value, TypeError> {
    let extents = cx.ty(b.value)?.fixed_shape().map(|shape| match shape[..] {
        [ref lead @ .., k, n] => [lead.iter().product(), k, n],
        _ => [1, shape.iter().product(), 1],
    });
    product(cx, c, OpKind::MatMul, Attrs::new(), [a, b], extents)
}
