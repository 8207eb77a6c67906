//! Attention: `y = softmax(mask(softcap(sqrt(s) q * (sqrt(s) k)^T))) * v` per head, `s` the `scale` (1/sqrt of the head's size).
//! Vaswani et al., arXiv:1706.03762; <https://onnx.ai/onnx/operators/onnx__Attention.html>
//!
//! Heads come packed (rank 3) or as an axis (rank 4); several query heads may share a key head. Past keys and values are put
//! before the new ones. A query that may attend no key yields zeros.

use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::{attention_mask, heads};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "Attention",
    since: 23,
    inputs: &[
        Input::new("Q", "T1"),
        Input::new("K", "T1"),
        Input::new("V", "T2"),
        Input::new("attn_mask", "U").optional(),
        Input::new("past_key", "T1").optional(),
        Input::new("past_value", "T2").optional(),
        Input::new("nonpad_kv_seqlen", "i64").optional().since(24),
    ],
    outputs: &[
        Output::new("Y", "T1"),
        Output::new("present_key", "T1").optional(),
        Output::new("present_value", "T2").optional(),
        Output::new("qk_matmul_output", "T1").optional(),
    ],
    types: &[("T1", sets::FLOAT), ("T2", sets::FLOAT), ("U", sets::ALL)],
    attrs: &[
        Attr::int("is_causal", 0),
        Attr::new("q_num_heads", AttrKind::Int, Preset::Absent),
        Attr::new("kv_num_heads", AttrKind::Int, Preset::Absent),
        Attr::int("qk_matmul_output_mode", 0),
        Attr::new("scale", AttrKind::Float, Preset::Absent),
        Attr::float("softcap", 0.0),
        Attr::new("softmax_precision", AttrKind::DType, Preset::Absent),
        Attr::int("left_window_size", -1).since(25),
        Attr::int("right_window_size", -1).since(25),
    ],
    infer,
    semantics: |cx| {
        let sizes = Sizes::of(cx)?;
        let mut c = Composer::new(cx);
        let [q, k, v] = operands(&mut c, &sizes)?;
        let scale = c.scalar(cx.dtype(0)?, sizes.scale.sqrt());
        let q = c.op(Mul, &[q, scale])?;
        let turned = c.transpose(k, &[0, 1, 3, 2])?;
        let turned = c.op(Mul, &[turned, scale])?;
        let raw = heads::product(&mut c, q, turned)?;
        let capped = softcap(&mut c, raw, cx.float("softcap")?)?;
        let masked = attention_mask::apply(cx, &mut c, capped, sizes.past)?;
        let weights = probabilities(cx, &mut c, &masked)?;
        let same = c.cast(v, cx.dtype(0)?)?;
        let mut y = heads::product(&mut c, weights, same)?;
        if sizes.packed {
            y = heads::pack(&mut c, y)?;
        }
        let scores = [raw, capped, masked.scores, weights];
        let shown = scores[cx.int("qk_matmul_output_mode")?.clamp(0, 3) as usize];
        c.finish(&[y, k, v, shown][..cx.outputs.clamp(1, 4)])
    },
    ..OpDef::NEW
};

/// Sizes of the operands, heads unpacked.
struct Sizes {
    packed: bool,
    batch: usize,
    q_heads: usize,
    kv_heads: usize,
    q_steps: usize,
    /// New keys, and keys kept from before.
    kv_steps: usize,
    past: usize,
    head: usize,
    v_head: usize,
    scale: f64,
}

impl Sizes {
    fn of(cx: &Cx) -> Result<Sizes, TypeError> {
        let packed = cx.rank(0)? == 3;
        let (q_heads, kv_heads) = match packed {
            true => (
                heads::count(cx, "q_num_heads")?,
                heads::count(cx, "kv_num_heads")?,
            ),
            false => (0, 0),
        };
        let [batch, q_heads, q_steps, head] = unpacked(cx, 0, packed, q_heads)?;
        let [k_batch, kv_heads, kv_steps, k_head] = unpacked(cx, 1, packed, kv_heads)?;
        let [v_batch, v_heads, v_steps, v_head] = unpacked(cx, 2, packed, kv_heads)?;
        if [k_batch, v_batch, k_head] != [batch, batch, head]
            || [v_heads, v_steps] != [kv_heads, kv_steps]
        {
            return Err(cx.error(format!(
                "shapes do not fit: Q {}, K {}, V {}",
                cx.ty(0)?,
                cx.ty(1)?,
                cx.ty(2)?
            )));
        }
        heads::group(cx, q_heads, kv_heads)?;
        let scale = match cx.float("scale") {
            Ok(scale) => scale,
            Err(_) => 1.0 / (head.max(1) as f64).sqrt(),
        };
        if !scale.is_finite() || scale < 0.0 {
            return Err(cx.attr_error("scale", format!("must not be negative, is {scale}")));
        }
        let mut sizes = Sizes {
            packed,
            batch,
            q_heads,
            kv_heads,
            q_steps,
            kv_steps,
            past: 0,
            head,
            v_head,
            scale,
        };
        sizes.past = past(cx, &sizes)?;
        Ok(sizes)
    }

    fn total(&self) -> usize {
        self.past.saturating_add(self.kv_steps)
    }
}

/// Batch, heads, steps and head size of input `i`.
fn unpacked(cx: &Cx, i: usize, packed: bool, heads: usize) -> Result<[usize; 4], TypeError> {
    match cx.shape(i)?[..] {
        [batch, steps, width] if packed => {
            Ok([batch, heads, steps, heads::size(cx, width, heads)?])
        }
        [batch, heads, steps, size] if !packed => Ok([batch, heads, steps, size]),
        _ => Err(cx.error(format!(
            "Q, K and V must all have rank 3 or all rank 4, input {i} is {}",
            cx.ty(i)?
        ))),
    }
}

/// The number of past keys.
fn past(cx: &Cx, s: &Sizes) -> Result<usize, TypeError> {
    if cx.has(4) != cx.has(5) {
        return Err(cx.error("past_key and past_value must be given together"));
    }
    if !cx.has(4) {
        return Ok(0);
    }
    if cx.has(6) {
        return Err(cx.error("nonpad_kv_seqlen excludes past_key and past_value"));
    }
    match (&cx.shape(4)?[..], &cx.shape(5)?[..]) {
        (&[b, h, past, d], &[vb, vh, v_past, vd])
            if [b, h, d, vb, vh, vd]
                == [s.batch, s.kv_heads, s.head, s.batch, s.kv_heads, s.v_head]
                && past == v_past =>
        {
            Ok(past)
        }
        _ => Err(cx.error(format!(
            "past_key {} and past_value {} do not fit K {} and V {}",
            cx.ty(4)?,
            cx.ty(5)?,
            cx.ty(1)?,
            cx.ty(2)?
        ))),
    }
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let s = Sizes::of(cx)?;
    let total = s.total();
    attention_mask::check(cx, [s.batch, s.q_heads, s.q_steps, total])?;
    if !(0..=3).contains(&cx.int("qk_matmul_output_mode")?) {
        return Err(cx.attr_error("qk_matmul_output_mode", "must be from 0 to 3"));
    }
    if cx
        .dtype_attr("softmax_precision")
        .is_some_and(|d| !d.is_float())
    {
        return Err(cx.attr_error("softmax_precision", "must be a float type"));
    }
    if !cx.float("softcap")?.is_finite() {
        return Err(cx.attr_error("softcap", "must be finite"));
    }
    let (t1, t2) = (cx.dtype(0)?, cx.dtype(2)?);
    let y = match s.packed {
        true => TensorType::new(t1, [s.batch, s.q_steps, s.q_heads.saturating_mul(s.v_head)]),
        false => TensorType::new(t1, [s.batch, s.q_heads, s.q_steps, s.v_head]),
    };
    Ok(vec![
        y,
        TensorType::new(t1, [s.batch, s.kv_heads, total, s.head]),
        TensorType::new(t2, [s.batch, s.kv_heads, total, s.v_head]),
        TensorType::new(t1, [s.batch, s.q_heads, s.q_steps, total]),
    ])
}

/// Q, K and V with heads as an axis, the past before the new keys and values.
fn operands(c: &mut Composer, s: &Sizes) -> Result<[Value; 3], TypeError> {
    let mut qkv = [c.arg(0), c.arg(1), c.arg(2)];
    if s.packed {
        for (x, heads) in qkv.iter_mut().zip([s.q_heads, s.kv_heads, s.kv_heads]) {
            *x = heads::unpack(c, *x, heads)?;
        }
    }
    for (i, past) in [(1, c.get(4)), (2, c.get(5))] {
        if let Some(past) = past {
            qkv[i] = c.concat(&[past, qkv[i]], 2)?;
        }
    }
    Ok(qkv)
}

/// `cap * tanh(x / cap)`; none where the cap is 0.
fn softcap(c: &mut Composer, x: Value, cap: f64) -> Result<Value, TypeError> {
    if cap <= 0.0 {
        return Ok(x);
    }
    let cap = c.scalar(c.ty(x).dtype, cap);
    let x = c.op(Div, &[x, cap])?;
    let x = c.op(Tanh, &[x])?;
    c.op(Mul, &[x, cap])
}

/// Softmax over the keys, zero in rows where none may be attended, in the operands' type.
fn probabilities(
    cx: &Cx,
    c: &mut Composer,
    masked: &attention_mask::Masked,
) -> Result<Value, TypeError> {
    let dtype = cx.dtype(0)?;
    let precision = cx.dtype_attr("softmax_precision").unwrap_or(dtype);
    let last = |v| [("axis", AttrValue::Int(v))];
    let Some(empty) = masked.empty_rows else {
        let scores = c.cast(masked.scores, precision)?;
        let weights = c.with(Softmax, &[scores], last(-1))?;
        return c.cast(weights, dtype);
    };
    let zero = c.scalar(dtype, 0.0);
    let scores = c.op(Where, &[empty, zero, masked.scores])?;
    let scores = c.cast(scores, precision)?;
    let weights = c.with(Softmax, &[scores], last(-1))?;
    let weights = c.cast(weights, dtype)?;
    c.op(Where, &[empty, zero, weights])
}
