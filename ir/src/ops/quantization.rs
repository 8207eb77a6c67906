//! What the quantisation operators share: scales and zero points laid along an axis, and the two conversions.

use super::OpKind::{Gather, Map};
use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::schema::{Cx, TypeError};
use crate::tensor::Tensor;
use crate::types::DType;

/// `saturate(round(x / scale) + zero_point)`, halves to even.
pub fn quantize(x: &Ex, scale: &Ex, zero: Option<&Ex>, to: DType) -> Ex {
    saturate(&(x / scale).round(), zero, to)
}

/// `saturate(round(sum * factor) + zero_point)`, halves to even.
pub fn requantize(sum: &Ex, factor: &Ex, zero: &Ex, to: DType) -> Ex {
    saturate(&(sum * factor).round(), Some(zero), to)
}

/// Whole steps from the zero point as an integer of that type, the nearest one where it is out of range.
fn saturate(steps: &Ex, zero: Option<&Ex>, to: DType) -> Ex {
    let (low, high) = to.int_range().unwrap_or((0, 255));
    let shifted = zero.map_or(steps.clone(), |z| steps + &z.cast(steps.dtype()));
    shifted.clamp(low as f64, high as f64).cast(to)
}

/// `(q - zero_point) * scale`, the difference exact in i32.
pub fn dequantize(q: &Ex, scale: &Ex, zero: Option<&Ex>) -> Ex {
    let wide = q.cast(DType::I32);
    let centred = zero.map_or(wide.clone(), |z| &wide - &z.cast(DType::I32));
    centred.cast(scale.dtype()) * scale
}

/// An expression over values of a body, as a node.
pub fn map(
    c: &mut Composer,
    values: &[Value],
    to: DType,
    f: impl Fn(&[Ex]) -> Ex,
) -> Result<Value, TypeError> {
    let args: Vec<Ex> = values
        .iter()
        .enumerate()
        .map(|(k, v)| Ex::arg(k, c.ty(*v).dtype))
        .collect();
    let expr = f(&args).cast(to).finish();
    c.with(
        Map,
        values,
        [
            ("dtype", AttrValue::DType(to)),
            ("expr", AttrValue::Expr(expr)),
        ],
    )
}

/// A scale or zero point `v` brought to a shape that broadcasts with an operand of that shape: a scalar stays, a vector lies along
/// `axis`, blocks of `block` elements share one.
pub fn along(
    cx: &Cx,
    c: &mut Composer,
    v: Value,
    shape: &[usize],
    axis: i64,
    block: i64,
) -> Result<Value, TypeError> {
    let own = c.ty(v).fixed_shape().unwrap_or_default();
    if own.iter().product::<usize>() == 1 && block == 0 {
        return c.reshape(v, &[]);
    }
    let axis = cx.normalize_axis(axis, shape.len())?;
    if block > 0 {
        let expected = (shape[axis] as u64).div_ceil(block as u64);
        if own.len() != shape.len() || own[axis] as u64 != expected {
            return Err(cx.error(format!(
                "a scale of shape {own:?} does not fit blocks of {block} along axis {axis} of {shape:?}"
            )));
        }
        let blocks: Vec<i64> = (0..shape[axis] as i64).map(|i| i / block).collect();
        let blocks = c.constant(Tensor::ints(&blocks));
        return c.with(
            Gather,
            &[v, blocks],
            [("axis", AttrValue::Int(axis as i64))],
        );
    }
    if own.len() != 1 || own[0] != shape[axis] {
        return Err(cx.error(format!(
            "a scale of shape {own:?} does not fit axis {axis} of shape {shape:?}"
        )));
    }
    let mut aligned = vec![1; shape.len()];
    aligned[axis] = own[0];
    c.reshape(v, &aligned)
}

/// A quantised operand of one scale as f32: inputs `at`, `at + 1` (scale) and `at + 2` (zero point, optional).
pub fn real(c: &mut Composer, at: usize) -> Result<Value, TypeError> {
    let mut values = vec![c.arg(at), scalar(c, at + 1)?];
    if c.get(at + 2).is_some() {
        values.push(scalar(c, at + 2)?);
    }
    map(c, &values, DType::F32, |a| {
        dequantize(&a[0], &a[1], a.get(2))
    })
}

/// A value quantised with one scale, input `at`, and zero point, input `at + 1` (optional).
pub fn quantized(c: &mut Composer, x: Value, at: usize, to: DType) -> Result<Value, TypeError> {
    let mut values = vec![x, scalar(c, at)?];
    if c.get(at + 1).is_some() {
        values.push(scalar(c, at + 1)?);
    }
    map(c, &values, to, |a| quantize(&a[0], &a[1], a.get(2), to))
}

/// Input `i`, of one element, as a scalar.
fn scalar(c: &mut Composer, i: usize) -> Result<Value, TypeError> {
    let v = c.arg(i);
    c.reshape(v, &[])
}
