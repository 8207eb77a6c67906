//! MatMul: numpy's matrix product over the last two axes, leading axes broadcast; a vector counts as one row (left) or one column
//! (right), which the result does not keep. <https://onnx.ai/onnx/operators/onnx__MatMul.html>

use crate::class::{Contract, Semantics};
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::schema::{Cx, Input, OpDef, TypeError};
use crate::types::DType::{self, *};
use crate::types::{Dim, TensorType, broadcast};

pub static DEF: OpDef = OpDef {
    name: "MatMul",
    inputs: &[Input::new("A", "T"), Input::new("B", "T")],
    types: &[("T", TYPES)],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, shape(cx)?)]),
    semantics: |cx| {
        let (a, b) = (cx.rank(0)?, cx.rank(1)?);
        if a > 1 && b > 1 {
            return Ok(Semantics::Contract(Contract::MatMul {
                transpose_a: false,
                transpose_b: false,
            }));
        }
        let mut c = Composer::new(cx);
        let (mut left, mut right) = (c.arg(0), c.arg(1));
        let mut added = Vec::new();
        if a == 1 {
            let axis = c.ints(&[0]);
            left = c.op(OpKind::Unsqueeze, &[left, axis])?;
            added.push(-2);
        }
        if b == 1 {
            let axis = c.ints(&[1]);
            right = c.op(OpKind::Unsqueeze, &[right, axis])?;
            added.push(-1);
        }
        let product = c.op(OpKind::MatMul, &[left, right])?;
        let added = c.ints(&added);
        let y = c.op(OpKind::Squeeze, &[product, added])?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// Element types that matrices may have.
pub const TYPES: &[DType] = &[F32, F64, F16, BF16, I32, I64, U32, U64];

/// Whether two dimensions may be equal: they are unless both are known and differ.
pub fn may_equal(a: &Dim, b: &Dim) -> bool {
    match (a.fixed(), b.fixed()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// The shape of the product of inputs 0 and 1.
pub fn shape(cx: &Cx) -> Result<Vec<Dim>, TypeError> {
    let (a, b) = (cx.ty(0)?, cx.ty(1)?);
    let (Some(k), Some(last)) = (a.shape.last(), b.shape.last()) else {
        return Err(cx.error(format!("operands must not be scalars: {a} and {b}")));
    };
    let inner = b.shape.get(b.rank().wrapping_sub(2)).unwrap_or(last);
    if !may_equal(k, inner) {
        return Err(cx.error(format!(
            "inner dimensions {k} and {inner} of shapes {a} and {b} differ"
        )));
    }
    let lead = |t: &TensorType| t.shape[..t.rank().saturating_sub(2)].to_vec();
    let mut shape = broadcast(&lead(a), &lead(b)).ok_or_else(|| {
        cx.error(format!(
            "leading dimensions of {a} and {b} do not broadcast"
        ))
    })?;
    if a.rank() > 1 {
        shape.push(a.shape[a.rank() - 2].clone());
    }
    if b.rank() > 1 {
        shape.push(last.clone());
    }
    Ok(shape)
}
