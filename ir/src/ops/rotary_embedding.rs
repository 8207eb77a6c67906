//! RotaryEmbedding: rotates pairs `(a, b)` of a head's components by the angle of their position,
//! `(cos a - sin b, sin a + cos b)`. Su et al., arXiv:2104.09864; <https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html>
//!
//! Pairs are the two halves of the first `rotary_embedding_dim` components (all where 0), or neighbours where `interleaved`.

use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::heads;
use crate::schema::{Attr, Cx, Input, OpDef, Preset, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "RotaryEmbedding",
    since: 23,
    inputs: &[
        Input::new("X", "T"),
        Input::new("cos_cache", "T"),
        Input::new("sin_cache", "T"),
        Input::new("position_ids", "i64").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::int("interleaved", 0),
        Attr::new("num_heads", AttrKind::Int, Preset::Absent),
        Attr::int("rotary_embedding_dim", 0),
    ],
    infer: |cx| {
        Sizes::of(cx)?;
        let x = cx.ty(0)?;
        Ok(vec![TensorType::new(x.dtype, x.shape.iter().cloned())])
    },
    semantics: |cx| {
        let s = Sizes::of(cx)?;
        let mut c = Composer::new(cx);
        let packed = cx.rank(0)? == 3;
        let mut x = c.arg(0);
        if packed {
            x = heads::unpack(&mut c, x, s.heads)?;
        }
        let cos = angles(&mut c, 1, &s)?;
        let sin = angles(&mut c, 2, &s)?;
        let turned = c.slice(x, 3, 0, s.rotated as i64)?;
        let mut y = rotate(&mut c, turned, [cos, sin], &s, cx.flag("interleaved")?)?;
        if s.rotated < s.size {
            let rest = c.slice(x, 3, s.rotated as i64, s.size as i64)?;
            y = c.concat(&[y, rest], 3)?;
        }
        if packed {
            y = heads::pack(&mut c, y)?;
        }
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// `[batch, heads, steps, size]`, of which the first `rotated` components turn.
struct Sizes {
    batch: usize,
    heads: usize,
    steps: usize,
    size: usize,
    rotated: usize,
}

impl Sizes {
    fn of(cx: &Cx) -> Result<Sizes, TypeError> {
        let [batch, heads, steps, size] = match cx.shape(0)?[..] {
            [batch, steps, width] => {
                let heads = heads::count(cx, "num_heads")?;
                [batch, heads, steps, heads::size(cx, width, heads)?]
            }
            [batch, heads, steps, size] => [batch, heads, steps, size],
            _ => return Err(cx.error(format!("X must have rank 3 or 4, is {}", cx.ty(0)?))),
        };
        let rotated = match cx.int("rotary_embedding_dim")? {
            0 => size,
            d => usize::try_from(d).unwrap_or(usize::MAX),
        };
        if rotated > size || !rotated.is_multiple_of(2) {
            return Err(cx.attr_error(
                "rotary_embedding_dim",
                format!("must be even and at most the head size {size}, is {rotated}"),
            ));
        }
        let sizes = Sizes {
            batch,
            heads,
            steps,
            size,
            rotated,
        };
        sizes.check_caches(cx)?;
        Ok(sizes)
    }

    fn check_caches(&self, cx: &Cx) -> Result<(), TypeError> {
        let (cos, sin) = (cx.shape(1)?, cx.shape(2)?);
        let half = self.rotated / 2;
        let fits = match cx.has(3) {
            true => cx.shape(3)? == [self.batch, self.steps] && cos.len() == 2 && cos[1] == half,
            false => cos == [self.batch, self.steps, half],
        };
        if !fits || cos != sin {
            return Err(cx.error(format!(
                "caches {} and {} do not fit X {}: {half} angles a position are needed",
                cx.ty(1)?,
                cx.ty(2)?,
                cx.ty(0)?
            )));
        }
        Ok(())
    }
}

/// Cache `i` at the positions, `[batch, 1, steps, half]`.
fn angles(c: &mut Composer, i: usize, s: &Sizes) -> Result<Value, TypeError> {
    let mut cache = c.arg(i);
    if let Some(positions) = c.get(3) {
        cache = c.with(Gather, &[cache, positions], [("axis", AttrValue::Int(0))])?;
    }
    c.reshape(cache, &[s.batch, 1, s.steps, s.rotated / 2])
}

fn rotate(
    c: &mut Composer,
    x: Value,
    [cos, sin]: [Value; 2],
    s: &Sizes,
    interleaved: bool,
) -> Result<Value, TypeError> {
    // The pair is an axis of 2: after the half's index where interleaved, before it where not.
    let half = s.rotated / 2;
    let lead = [s.batch, s.heads, s.steps];
    let pairs: Vec<usize> = match interleaved {
        true => [&lead[..], &[half, 2]].concat(),
        false => [&lead[..], &[2, half]].concat(),
    };
    let axis = if interleaved { 4 } else { 3 };
    let x = c.reshape(x, &pairs)?;
    let components = [0, 1].map(|k| {
        let part = c.slice(x, axis, k, k + 1)?;
        c.reshape(part, &[s.batch, s.heads, s.steps, half])
    });
    let [a, b] = components;
    let (a, b) = (a?, b?);
    let mut term = |f: Value, v: Value| c.op(Mul, &[f, v]);
    let (cos_a, sin_b) = (term(cos, a)?, term(sin, b)?);
    let (sin_a, cos_b) = (term(sin, a)?, term(cos, b)?);
    let real = c.op(Sub, &[cos_a, sin_b])?;
    let imaginary = c.op(Add, &[sin_a, cos_b])?;
    let mut one = pairs;
    one[axis] = 1;
    let real = c.reshape(real, &one)?;
    let imaginary = c.reshape(imaginary, &one)?;
    let y = c.concat(&[real, imaginary], axis)?;
    c.reshape(y, &[s.batch, s.heads, s.steps, s.rotated])
}
