//! What Softmax, LogSoftmax and Hardmax share: the axis, which before opset 13 cut the tensor into a matrix, and the shifted
//! exponentials.

use super::OpKind::{ArgMax, Cast, Equal, Exp, ReduceMax, Sub};
use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::schema::{Adapt, Attr, Cx, Preset, TypeError};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

/// `last` is ours: the last axis of the normalised range, where it is not `axis` alone.
pub const ATTRS: &[Attr] = &[
    Attr::int("axis", -1),
    Attr::new("flatten", AttrKind::Int, Preset::Int(0)).since(u32::MAX),
];

pub fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    cx.axis("axis", cx.rank(0)?)?;
    cx.same_as(0)
}

/// Before opset 13 the axis is 1 by default, and everything from it on is normalised together.
pub fn adapt(a: &mut Adapt) -> Result<(), TypeError> {
    if a.opset < 13 {
        a.attrs
            .entry("axis".to_string())
            .or_insert(AttrValue::Int(1));
        a.attrs.insert("flatten".to_string(), AttrValue::Int(1));
    }
    Ok(())
}

/// The operator under construction.
pub struct Family {
    pub c: Composer,
    pub axes: Vec<i64>,
    x: Value,
}

/// Composes the operator in f32 at least; the result is rounded to the operand's type.
pub fn compose(
    cx: &Cx,
    body: fn(&mut Family) -> Result<Value, TypeError>,
) -> Result<Semantics, TypeError> {
    let (rank, dtype) = (cx.rank(0)?, cx.dtype(0)?);
    let axis = cx.axis("axis", rank)?;
    let end = if cx.flag("flatten")? { rank } else { axis + 1 };
    let mut c = Composer::new(cx);
    let mut x = c.arg(0);
    if dtype.is_half() {
        x = c.with(Cast, &[x], [("to", AttrValue::DType(DType::F32))])?;
    }
    let mut family = Family {
        c,
        axes: (axis as i64..end as i64).collect(),
        x,
    };
    let mut y = body(&mut family)?;
    if dtype.is_half() {
        y = family
            .c
            .with(Cast, &[y], [("to", AttrValue::DType(dtype))])?;
    }
    family.c.finish(&[y])
}

impl Family {
    /// `x - max`.
    pub fn shifted(&mut self) -> Result<Value, TypeError> {
        let max = self.c.reduce(ReduceMax, self.x, &self.axes, true)?;
        self.c.op(Sub, &[self.x, max])
    }

    /// `e^(x - max)`.
    pub fn powers(&mut self) -> Result<Value, TypeError> {
        let shifted = self.shifted()?;
        self.c.op(Exp, &[shifted])
    }

    /// 1 at the first maximum, 0 elsewhere.
    pub fn first_maximum(&mut self) -> Result<Value, TypeError> {
        let shape = self.c.ty(self.x).fixed_shape().unwrap_or_default();
        let dtype = self.c.ty(self.x).dtype;
        let (start, length) = (self.axes[0] as usize, self.axes.len());
        let rows: usize = shape[..start].iter().product();
        let row: usize = shape[start..start + length].iter().product();
        let rest: usize = shape[start + length..].iter().product();
        let flat = self.c.reshape(self.x, &[rows, row, rest])?;
        let position = self
            .c
            .with(ArgMax, &[flat], [("axis", AttrValue::Int(1))])?;
        let positions: Vec<i64> = (0..row as i64).collect();
        let own = self
            .c
            .constant(Tensor::from_i64(DType::I64, &[1, row, 1], &positions));
        let hit = self.c.op(Equal, &[own, position])?;
        let one_hot = self
            .c
            .with(Cast, &[hit], [("to", AttrValue::DType(dtype))])?;
        self.c.reshape(one_hot, &shape)
    }
}
