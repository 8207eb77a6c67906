//! Which keys a query attends: Attention's mask input, the causal frontier, the sliding window and the padding of the cache.
//!
//! Query `i` stands at position `p = i + offset` among the keys, `offset` the number of keys before the first query. Booleans
//! intersect; a mask of numbers is added to the scores.

use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::{self, *};
use crate::ops::heads;
use crate::schema::{Cx, TypeError};
use crate::types::{DType, Dim, broadcast};

/// Scores after masking: minus infinity where a key must not be attended.
pub struct Masked {
    pub scores: Value,
    /// `[.., queries, 1]`: whether a query may attend no key at all; `None` where every query is known to have one.
    pub empty_rows: Option<Value>,
}

/// Checks the mask, the lengths and the windows against scores `[batch, heads, queries, keys]`.
pub fn check(cx: &Cx, scores: [usize; 4]) -> Result<(), TypeError> {
    if let Some(mask) = cx.get(3) {
        let mut shape: Vec<Dim> = cx.shape(3)?.into_iter().map(Dim::from).collect();
        let keys = Dim::from(scores[3]);
        if let Some(last) = shape.last_mut()
            && last.fixed() < keys.fixed()
        {
            *last = keys;
        }
        let scores = scores.map(Dim::from);
        if broadcast(&shape, &scores).as_deref() != Some(&scores[..]) {
            return Err(cx.error(format!(
                "attn_mask {} does not broadcast to the scores {scores:?}",
                mask.ty
            )));
        }
    }
    if cx
        .get(6)
        .is_some_and(|n| n.ty.shape != [Dim::from(scores[0])])
    {
        return Err(cx.error(format!(
            "nonpad_kv_seqlen {} must have one entry a batch entry",
            cx.ty(6)?
        )));
    }
    for window in ["left_window_size", "right_window_size"] {
        if cx.int(window)? < -1 {
            return Err(cx.attr_error(window, "must be -1 or more"));
        }
    }
    Ok(())
}

/// Masks `scores`; `past` is the number of past keys.
pub fn apply(cx: &Cx, c: &mut Composer, scores: Value, past: usize) -> Result<Masked, TypeError> {
    let [_, _, _, keys] = heads::extents(c, scores);
    let mut allowed = positions(cx, c, scores, past)?;
    let mut scores = scores;
    if let Some(mask) = c.get(3) {
        let boolean = c.ty(mask).dtype == DType::Bool;
        let mask = match boolean {
            true => mask,
            false => c.cast(mask, cx.dtype(0)?)?,
        };
        let mask = padded(c, mask, keys)?;
        if boolean {
            allowed = Some(both(c, allowed, mask)?);
        } else {
            scores = c.op(Add, &[scores, mask])?;
        }
    }
    let minus_infinity = c.scalar(cx.dtype(0)?, f64::NEG_INFINITY);
    if let Some(allowed) = allowed {
        scores = c.op(Where, &[allowed, scores, minus_infinity])?;
    }
    let windowed = cx.int("left_window_size")? >= 0 || cx.int("right_window_size")? >= 0;
    let empty_rows = match cx.has(3) || cx.has(6) || windowed {
        true => {
            let best = c.reduce(ReduceMax, scores, &[-1], true)?;
            Some(c.op(Equal, &[best, minus_infinity])?)
        }
        false => None,
    };
    Ok(Masked { scores, empty_rows })
}

/// The keys that causality, window and padding leave, broadcastable to the scores.
fn positions(
    cx: &Cx,
    c: &mut Composer,
    scores: Value,
    past: usize,
) -> Result<Option<Value>, TypeError> {
    let [batch, _, queries, keys] = heads::extents(c, scores);
    let key = c.iota(keys, 3, 4)?;
    let lengths = c
        .get(6)
        .map(|lengths| c.reshape(lengths, &[batch, 1, 1, 1]))
        .transpose()?;
    let offset = match lengths {
        Some(lengths) => {
            let queries = c.scalar(DType::I64, queries as f64);
            c.op(Sub, &[lengths, queries])?
        }
        None => c.scalar(DType::I64, past as f64),
    };
    let query = c.iota(queries, 2, 4)?;
    let position = c.op(Add, &[query, offset])?;
    let distance = c.op(Sub, &[key, position])?;
    let (left, right) = (cx.int("left_window_size")?, cx.int("right_window_size")?);
    let bounds: [(OpKind, Option<i64>); 3] = [
        (LessOrEqual, cx.flag("is_causal")?.then_some(0)),
        (GreaterOrEqual, (left >= 0).then_some(-left)),
        (LessOrEqual, (right >= 0).then_some(right)),
    ];
    let mut allowed = None;
    for (compare, bound) in bounds {
        if let Some(bound) = bound {
            let bound = c.scalar(DType::I64, bound as f64);
            let within = c.op(compare, &[distance, bound])?;
            allowed = Some(both(c, allowed, within)?);
        }
    }
    if let Some(lengths) = lengths {
        let real = c.op(Less, &[key, lengths])?;
        allowed = Some(both(c, allowed, real)?);
    }
    Ok(allowed)
}

fn both(c: &mut Composer, a: Option<Value>, b: Value) -> Result<Value, TypeError> {
    match a {
        Some(a) => c.op(And, &[a, b]),
        None => Ok(b),
    }
}

/// The mask with its last axis as long as there are keys: what it does not mention is not attended.
fn padded(c: &mut Composer, mask: Value, keys: usize) -> Result<Value, TypeError> {
    let ty = c.ty(mask).clone();
    let Some(last) = ty.shape.last().and_then(Dim::fixed) else {
        return Ok(mask);
    };
    let missing = keys as i64 - last as i64;
    if missing <= 0 {
        return Ok(mask);
    }
    let mut pads = vec![0; 2 * ty.rank()];
    pads[2 * ty.rank() - 1] = missing;
    let pads = c.ints(&pads);
    let fill = match ty.dtype {
        DType::Bool => 0.0,
        _ => f64::NEG_INFINITY,
    };
    let fill = c.scalar(ty.dtype, fill);
    c.op(Pad, &[mask, pads, fill])
}
