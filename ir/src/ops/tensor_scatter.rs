//! TensorScatter: `y[b, .., write[b] + s, ..] = update[b, .., s, ..]` along `axis` of a copy of the cache; positions wrap around
//! where `mode` is `circular`. <https://onnx.ai/onnx/operators/onnx__TensorScatter.html>

use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "TensorScatter",
    since: 24,
    inputs: &[
        Input::new("past_cache", "T"),
        Input::new("update", "T"),
        Input::new("write_indices", "i64").optional(),
    ],
    outputs: &[Output::new("present_cache", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::str("mode", "linear"), Attr::int("axis", -2)],
    infer,
    semantics: |cx| {
        let (cache, update) = (cx.shape(0)?, cx.shape(1)?);
        let (rank, axis) = (cache.len(), cx.axis("axis", cache.len())?);
        let mut c = Composer::new(cx);
        let mut at = c.iota(update[axis], axis, rank)?;
        if let Some(write) = c.get(2) {
            let mut per_batch = vec![1; rank];
            per_batch[0] = cache[0];
            let write = c.reshape(write, &per_batch)?;
            at = c.op(Add, &[at, write])?;
        }
        if circular(cx)? {
            let extent = c.scalar(DType::I64, cache[axis] as f64);
            at = c.op(Mod, &[at, extent])?;
        }
        let at = c.expand(at, &update)?;
        let y = c.with(
            ScatterElements,
            &[c.arg(0), at, c.arg(1)],
            [("axis", AttrValue::Int(axis as i64))],
        )?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn circular(cx: &Cx) -> Result<bool, TypeError> {
    match cx.str("mode")? {
        "linear" => Ok(false),
        "circular" => Ok(true),
        other => Err(cx.attr_error("mode", format!("must be linear or circular, is {other}"))),
    }
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (cache, update) = (cx.ty(0)?, cx.ty(1)?);
    let (from, to) = (cx.shape(1)?, cx.shape(0)?);
    circular(cx)?;
    let axis = cx.axis("axis", cache.rank())?;
    if axis == 0 {
        return Err(cx.attr_error("axis", "must not be the batch axis 0"));
    }
    let fits = from.len() == to.len()
        && (0..to.len()).all(|a| from[a] == to[a] || (a == axis && from[a] < to[a]));
    if !fits {
        return Err(cx.error(format!(
            "update {update} does not fit cache {cache} along axis {axis}"
        )));
    }
    if cx.get(2).is_some_and(|w| w.ty.shape != cache.shape[..1]) {
        return Err(cx.error(format!(
            "write_indices {} must have one entry a batch entry of {cache}",
            cx.ty(2)?
        )));
    }
    Ok(vec![TensorType::new(
        cache.dtype,
        cache.shape.iter().cloned(),
    )])
}
