//! FlexAttention: `y = prob_mod(softmax(score_mod(sqrt(s) q * (sqrt(s) k)^T))) * v` per head, the two modifications given as
//! graphs, `s` the `scale` (1/sqrt of the head's size). Dong et al., arXiv:2412.05496;
//! <https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html>
//!
//! The graphs are inlined; each takes the scores or weights and then the values captured from around the node.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::heads;
use crate::schema::{Attr, Cx, Input, OpDef, Preset, TypeError, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "FlexAttention",
    domain: "ai.onnx.preview",
    inputs: &[
        Input::new("Q", "T"),
        Input::new("K", "T"),
        Input::new("V", "T"),
        Input::new("captured", "").any(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::new("score_mod", AttrKind::Graph, Preset::Absent),
        Attr::new("prob_mod", AttrKind::Graph, Preset::Absent),
        Attr::new("scale", AttrKind::Float, Preset::Absent),
        Attr::new("softmax_precision", AttrKind::DType, Preset::Absent),
    ],
    infer: |cx| {
        let y = result(cx)?;
        compose(cx)?;
        Ok(vec![y])
    },
    semantics: compose,
    ..OpDef::NEW
};

fn result(cx: &Cx) -> Result<TensorType, TypeError> {
    match (&cx.shape(0)?[..], &cx.shape(1)?[..], &cx.shape(2)?[..]) {
        (&[b, heads, steps, size], &[kb, shared, keys, k_size], &[vb, v_heads, v_keys, v_size])
            if [kb, vb, k_size, v_heads, v_keys] == [b, b, size, shared, keys] =>
        {
            heads::group(cx, heads, shared)?;
            Ok(TensorType::new(cx.dtype(0)?, [b, heads, steps, v_size]))
        }
        (q, k, v) => Err(cx.error(format!("shapes do not fit: Q {q:?}, K {k:?}, V {v:?}"))),
    }
}

fn compose(cx: &Cx) -> Result<Semantics, TypeError> {
    let dtype = cx.dtype(0)?;
    let precision = match cx.dtype_attr("softmax_precision") {
        Some(d) if !d.is_float() => {
            return Err(cx.attr_error("softmax_precision", "must be a float type"));
        }
        Some(d) => d,
        None if dtype.is_half() => DType::F32,
        None => dtype,
    };
    let mut c = Composer::new(cx);
    let (q, k, v) = (c.arg(0), c.arg(1), c.arg(2));
    let [_, _, _, size] = heads::extents(&c, q);
    let scale = match cx.float("scale") {
        Ok(scale) => scale,
        Err(_) => 1.0 / (size.max(1) as f64).sqrt(),
    };
    if !scale.is_finite() || scale < 0.0 {
        return Err(cx.attr_error("scale", format!("must not be negative, is {scale}")));
    }
    let scale = c.scalar(dtype, scale.sqrt());
    let q = c.op(Mul, &[q, scale])?;
    let turned = c.transpose(k, &[0, 1, 3, 2])?;
    let turned = c.op(Mul, &[turned, scale])?;
    let scores = heads::product(&mut c, q, turned)?;
    let scores = c.cast(scores, precision)?;
    let scores = modified(cx, &mut c, 0, scores)?;
    let weights = c.with(Softmax, &[scores], [("axis", AttrValue::Int(-1))])?;
    let weights = modified(cx, &mut c, 1, weights)?;
    let v = c.cast(v, precision)?;
    let y = heads::product(&mut c, weights, v)?;
    let y = c.cast(y, dtype)?;
    c.finish(&[y])
}

/// `x` through body `i`, where that is given.
fn modified(cx: &Cx, c: &mut Composer, i: usize, x: Value) -> Result<Value, TypeError> {
    let Some(body) = cx.bodies.get(i).filter(|b| !b.outputs().is_empty()) else {
        return Ok(x);
    };
    let captured = (3..cx.inputs.len()).filter_map(|i| c.get(i));
    let args: Vec<Value> = [x].into_iter().chain(captured).collect();
    if body.inputs().len() != args.len() || body.outputs().len() != 1 {
        return Err(cx.error(format!(
            "body {} must have {} inputs and 1 output, has {} and {}",
            body.name,
            args.len(),
            body.inputs().len(),
            body.outputs().len()
        )));
    }
    let y = c.inline(body, &args)?;
    match y[..] {
        [y] if c.ty(y) == c.ty(x) => Ok(y),
        _ => Err(cx.error(format!(
            "body {} must yield {}, as it was given",
            body.name,
            c.ty(x)
        ))),
    }
}
