//! Random numbers: a hash of seed and position ([`Ex::uniform`]), so that a result depends on nothing else.
//!
//! The seed is part of the program: each run draws the same numbers. A node without a seed has seed 0.

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::expr::{Ex, UnaryOp};
use crate::schema::{Attr, Cx, Preset, TypeError};
use crate::types::{DType, TensorType};
use std::f64::consts::TAU;

pub const SEED: Attr = Attr::new("seed", AttrKind::Float, Preset::Absent);

/// The seed's bits.
pub fn seed(cx: &Cx) -> u32 {
    cx.float("seed").map_or(0, |seed| (seed as f32).to_bits())
}

/// `[0, 1)`, f32, independent for every position of a result of that shape and for every `stream`.
pub fn uniform(shape: &[usize], seed: u32, stream: u32) -> Ex {
    let start = seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9));
    Ex::uniform(shape, &Ex::int(DType::U32, start.into()))
}

/// Standard normal numbers by the Box-Muller transform.
fn normal(shape: &[usize], seed: u32) -> Ex {
    let (radius, angle) = (uniform(shape, seed, 0), uniform(shape, seed, 1));
    let radius = ((radius.lit(1.0) - radius).log() * -2.0).sqrt();
    radius * (angle * TAU).unary(UnaryOp::Cos)
}

/// The result's type: the attribute `dtype` over `shape`.
pub fn infer(dtype: DType, shape: &[usize], cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    if !dtype.is_float() {
        return Err(cx.attr_error("dtype", format!("must be a float type, is {dtype}")));
    }
    Ok(vec![TensorType::new(dtype, shape.iter().copied())])
}

/// `low + (high - low) u` for uniform `u`.
pub fn between(cx: &Cx, dtype: DType, shape: &[usize]) -> Result<Semantics, TypeError> {
    let (low, high) = (cx.float("low")?, cx.float("high")?);
    let y = uniform(shape, seed(cx), 0) * (high - low) + low;
    Ok(Semantics::Elementwise(y.cast(dtype).finish()))
}

/// `mean + scale n` for standard normal `n`.
pub fn around(cx: &Cx, dtype: DType, shape: &[usize]) -> Result<Semantics, TypeError> {
    let (mean, scale) = (cx.float("mean")?, cx.float("scale")?);
    let y = normal(shape, seed(cx)) * scale + mean;
    Ok(Semantics::Elementwise(y.cast(dtype).finish()))
}

/// The attribute `shape`.
pub fn shape(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let shape = cx.opt_ints("shape").unwrap_or_default();
    let extents = shape.iter().map(|&d| usize::try_from(d));
    extents
        .collect::<Result<_, _>>()
        .map_err(|_| cx.attr_error("shape", format!("must not be negative, is {shape:?}")))
}

/// The attribute `dtype`, else the input's element type where that is a float.
pub fn like(cx: &Cx) -> Result<DType, TypeError> {
    let own = cx.dtype(0)?;
    Ok(cx
        .dtype_attr("dtype")
        .unwrap_or(if own.is_float() { own } else { DType::F32 }))
}

#[cfg(test)]
mod tests {
    use crate::attrs::{AttrValue, Attrs};
    use crate::graph::Graph;
    use crate::interp::{Interpreter, Precision};
    use crate::ops::OpKind;

    /// Mean and variance of a thousand draws lie where they should.
    #[test]
    fn moments_are_those_of_the_distribution() {
        for (kind, mean, variance) in [
            (OpKind::RandomUniform, 0.5, 1.0 / 12.0),
            (OpKind::RandomNormal, 0.0, 1.0),
        ] {
            let mut graph = Graph::new("draws");
            let attrs = Attrs::from([
                ("shape".to_string(), AttrValue::Ints(vec![10, 100])),
                ("seed".to_string(), AttrValue::Float(7.0)),
            ]);
            let y = graph.op(kind, &[], attrs).unwrap();
            graph.add_output("y", y);
            let draws = Interpreter::new(Precision::F32).run(&graph, &[]).unwrap()[0]
                .1
                .to_f64();
            let n = draws.len() as f64;
            let m = draws.iter().sum::<f64>() / n;
            let v = draws.iter().map(|d| (d - m) * (d - m)).sum::<f64>() / n;
            assert!(
                (m - mean).abs() < 0.1 && (v / variance - 1.0).abs() < 0.2,
                "{kind:?}: {m} {v}"
            );
        }
    }
}
