//! Products of quantised operands: zero points taken off, exact sums, results requantised.
//!
//! Sums are those of 32-bit integers. Where no sum can leave the integers that f32 holds exactly (up to 2^24), f32 computes them,
//! for which there are assembled tiles; the result is the same.

use super::quantization::map;
use crate::attrs::Attrs;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::schema::{Cx, TypeError};
use crate::types::{DType, Dim, TensorType, broadcast};

/// Largest magnitude of a byte less its zero point.
const SPAN: u64 = 255;
/// Up to here f32 holds every integer.
const EXACT: u64 = 1 << 24;

/// A quantised operand, by the numbers of the node's inputs.
#[derive(Clone, Copy)]
pub struct Operand {
    pub value: usize,
    pub scale: Option<usize>,
    pub zero: usize,
    /// The axis along which scales and zero points lie, where there are several.
    pub axis: Option<usize>,
}

impl Operand {
    /// Checks that scale and zero point have one element, one an entry of the axis, or a shape that broadcasts to the operand's.
    pub fn check(&self, cx: &Cx) -> Result<(), TypeError> {
        let of = cx.ty(self.value)?;
        for i in self.scale.into_iter().chain([self.zero]) {
            let Some(own) = cx.get(i).map(|a| a.ty) else {
                continue;
            };
            let line = own.rank() == 1 && self.axis.is_some_and(|a| own.shape[0] == of.shape[a]);
            let spread = self.axis.is_some()
                && own.rank() == of.rank()
                && broadcast(&own.shape, &of.shape).as_ref() == Some(&of.shape);
            if own.elements() != Some(1) && !line && !spread {
                return Err(misfit(cx, i, own, of));
            }
        }
        Ok(())
    }

    /// `q - zero_point` in that element type.
    fn centred(&self, c: &mut Composer, to: DType) -> Result<Value, TypeError> {
        let q = c.arg(self.value);
        let Some(zero) = c.get(self.zero) else {
            return c.cast(q, to);
        };
        let rank = c.ty(q).rank();
        let zero = lay(c, zero, rank, self.axis)?;
        map(c, &[q, zero], to, |a| &a[0].cast(to) - &a[1].cast(to))
    }
}

/// A scale or zero point of one element.
pub fn check_scalar(cx: &Cx, i: usize) -> Result<(), TypeError> {
    match cx.get(i).map(|a| a.ty) {
        Some(own) if own.elements() != Some(1) => Err(misfit(cx, i, own, cx.ty(0)?)),
        _ => Ok(()),
    }
}

fn misfit(cx: &Cx, i: usize, own: &TensorType, of: &TensorType) -> TypeError {
    let name = cx.def.inputs.get(i).map_or("", |d| d.name);
    cx.error(format!(
        "input {i} ('{name}') of type {own} is no scale or zero point of {of}"
    ))
}

/// A checked scale or zero point brought to a shape that broadcasts with a value of that rank.
pub fn lay(
    c: &mut Composer,
    v: Value,
    rank: usize,
    axis: Option<usize>,
) -> Result<Value, TypeError> {
    let own = c.ty(v).shape.clone();
    if own.iter().all(|d| *d == Dim::Fixed(1)) {
        return c.reshape(v, &[]);
    }
    match (axis, own[..].first().and_then(Dim::fixed)) {
        (Some(axis), Some(n)) if own.len() == 1 => {
            let mut aligned = vec![1; rank];
            aligned[axis] = n as usize;
            c.reshape(v, &aligned)
        }
        _ => Ok(v),
    }
}

/// The exact product of two operands, f32 or i32. `[outer, terms, inner]` are the extents of the second one: each sum runs over
/// its `terms`.
pub fn product(
    cx: &Cx,
    c: &mut Composer,
    kind: OpKind,
    attrs: Attrs,
    [a, b]: [Operand; 2],
    extents: Option<[usize; 3]>,
) -> Result<Value, TypeError> {
    let largest = extents.and_then(|e| {
        magnitude(cx, b, e)
            .or_else(|| SPAN.checked_mul(e[1] as u64))
            .and_then(|w| w.checked_mul(SPAN))
    });
    let exact = largest.is_some_and(|n| n <= EXACT);
    let to = if exact { DType::F32 } else { DType::I32 };
    let operands = vec![Some(a.centred(c, to)?), Some(b.centred(c, to)?)];
    Ok(c.multi(kind, operands, attrs, 1)?[0])
}

/// The largest sum of magnitudes among the rows of constant weights; `None` where they, or their zero point, are not known.
fn magnitude(cx: &Cx, w: Operand, [outer, terms, inner]: [usize; 3]) -> Option<u64> {
    let values = cx.get(w.value)?.value?.to_i64();
    let zero = match cx.get(w.zero) {
        None => 0,
        Some(zero) => {
            let zeros = zero.value?.to_i64();
            let first = *zeros.first()?;
            zeros.iter().all(|z| *z == first).then_some(first)?
        }
    };
    let row = |o: usize, i: usize| -> u64 {
        let taps = values[o * terms * inner..].iter().skip(i).step_by(inner);
        taps.take(terms).map(|v| v.abs_diff(zero)).sum()
    };
    (0..outer)
        .flat_map(|o| (0..inner).map(move |i| (o, i)))
        .map(|(o, i)| row(o, i))
        .max()
}

/// `saturate(round(sum * a_scale * b_scale / y_scale) + y_zero_point)`. `scales` lie as the result does; the last two are the
/// result's own scale and zero point.
pub fn requantize(
    c: &mut Composer,
    sum: Value,
    scales: [Value; 3],
    zero: Value,
) -> Result<Value, TypeError> {
    let compute = c.ty(scales[0]).dtype.compute();
    let factor = map(c, &scales, compute, |s| &s[0] * &s[1] / &s[2])?;
    let to = c.ty(zero).dtype;
    map(c, &[sum, factor, zero], to, |a| {
        super::quantization::requantize(&a[0].cast(compute), &a[1], &a[2], to)
    })
}
