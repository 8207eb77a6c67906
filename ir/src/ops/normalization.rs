//! What the normalisations share: moments, their inverse deviation, scale and bias per channel.
//!
//! Half types are widened once at the start and rounded once at the end, so that no statistic is rounded on the way.

use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::schema::{Cx, TypeError};
use crate::types::{DType, broadcast};

/// Operand `i` in the type that the normalisation computes in.
pub fn operand(c: &mut Composer, i: usize, compute: DType) -> Result<Value, TypeError> {
    let x = c.arg(i);
    c.cast(x, compute)
}

/// Mean and variance over some axes, which stay as extents of 1.
pub struct Moments {
    pub mean: Value,
    pub variance: Value,
    /// `x - mean`.
    pub centred: Value,
}

pub fn moments(c: &mut Composer, x: Value, axes: &[i64]) -> Result<Moments, TypeError> {
    let mean = c.reduce(ReduceMean, x, axes, true)?;
    let centred = c.op(Sub, &[x, mean])?;
    let square = c.op(Mul, &[centred, centred])?;
    let variance = c.reduce(ReduceMean, square, axes, true)?;
    Ok(Moments {
        mean,
        variance,
        centred,
    })
}

/// Mean and variance of every channel over the batch; what is large is read, not kept: `x - mean` is computed again by whoever needs it.
pub fn batch_moments(c: &mut Composer, x: Value) -> Result<[Value; 2], TypeError> {
    let axes = batch_axes(c.ty(x).rank());
    let mean = c.reduce(ReduceMean, x, &axes, true)?;
    let [element, center] = [0, 1].map(|k| Ex::arg(k, c.ty(x).dtype));
    let centred = element - center;
    let square = c.map(&(&centred * &centred), &[x, mean])?;
    let variance = c.reduce(ReduceMean, square, &axes, true)?;
    Ok([mean, variance])
}

/// All axes of `[N,C,d..]` but the channels'.
pub fn batch_axes(rank: usize) -> Vec<i64> {
    (0..rank as i64).filter(|&axis| axis != 1).collect()
}

/// `sqrt(variance + epsilon)`, epsilon from the attribute.
pub fn deviation(c: &mut Composer, cx: &Cx, variance: Value) -> Result<Value, TypeError> {
    deviation_of(c, cx.float("epsilon")?, variance)
}

/// `sqrt(variance + epsilon)`.
pub fn deviation_of(c: &mut Composer, epsilon: f64, variance: Value) -> Result<Value, TypeError> {
    let epsilon = c.scalar(c.ty(variance).dtype, epsilon);
    let shifted = c.op(Add, &[variance, epsilon])?;
    c.op(Sqrt, &[shifted])
}

/// `x * scale + bias`.
pub fn affine(
    c: &mut Composer,
    x: Value,
    scale: Value,
    bias: Option<Value>,
) -> Result<Value, TypeError> {
    let scaled = c.op(Mul, &[x, scale])?;
    match bias {
        Some(bias) => c.op(Add, &[scaled, bias]),
        None => Ok(scaled),
    }
}

/// `[C]` as `[C,1,..]`, which broadcasts over `[N,C,d..]` of that rank.
pub fn per_channel(c: &mut Composer, v: Value, rank: usize) -> Result<Value, TypeError> {
    let axes: Vec<i64> = (1..rank as i64 - 1).collect();
    if axes.is_empty() {
        return Ok(v);
    }
    let axes = c.ints(&axes);
    c.op(Unsqueeze, &[v, axes])
}

/// Checks that each of these inputs is a vector with one entry a channel of `[N,C,d..]`.
pub fn check_channels(cx: &Cx, inputs: &[usize]) -> Result<(), TypeError> {
    let x = cx.ty(0)?;
    if x.rank() < 2 {
        return Err(cx.error(format!("the input must have the shape [N,C,d..], is {x}")));
    }
    for &i in inputs {
        let v = cx.ty(i)?;
        if v.rank() != 1 || v.shape[0] != x.shape[1] {
            return Err(cx.error(format!(
                "input {i} ('{}') must have one entry for each of the {} channels of {x}, is {v}",
                cx.def.inputs[i].name, x.shape[1]
            )));
        }
    }
    Ok(())
}

/// Checks that input `i`, where given, broadcasts to the shape of input 0.
pub fn check_broadcast(cx: &Cx, i: usize) -> Result<(), TypeError> {
    let x = cx.ty(0)?;
    match cx.get(i).map(|a| a.ty) {
        Some(v) if broadcast(&x.shape, &v.shape).as_ref() != Some(&x.shape) => {
            Err(cx.error(format!("input {i} {v} does not broadcast to the input {x}")))
        }
        _ => Ok(()),
    }
}

/// The element type that the attribute `stash_type` names.
pub fn stash_type(cx: &Cx) -> Result<DType, TypeError> {
    let code = cx.int("stash_type")?;
    DType::from_onnx_code(code)
        .filter(|d| d.is_float())
        .ok_or_else(|| {
            cx.attr_error(
                "stash_type",
                format!("must name a floating-point type, is {code}"),
            )
        })
}
