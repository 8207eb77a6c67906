//! LinearAttention: a state `S[d_k, d_v]` per head that keys write and queries read, `o_t = scale * q_t^T S_t` with
//! `S_t = a_t S_(t-1) + k_t (x) w_t`. Yang et al., arXiv:2412.06464; <https://onnx.ai/onnx/operators/onnx__LinearAttention.html>
//!
//! `a_t = exp(decay_t)` where gated, else 1; `w_t = v_t`, or `beta_t (v_t - (a_t S_(t-1))^T k_t)` under the delta rule. The steps
//! are unrolled and computed in f32; the chunked form is deliberately absent.

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::heads;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "LinearAttention",
    since: 27,
    inputs: &[
        Input::new("query", "T"),
        Input::new("key", "T"),
        Input::new("value", "T"),
        Input::new("past_state", "S").optional(),
        Input::new("decay", "T").optional(),
        Input::new("beta", "T").optional(),
    ],
    outputs: &[
        Output::new("output", "T"),
        Output::new("present_state", "S"),
    ],
    types: &[("T", sets::FLOAT), ("S", sets::FLOAT)],
    attrs: &[
        Attr::int("chunk_size", 64),
        Attr::required("kv_num_heads", AttrKind::Int),
        Attr::required("q_num_heads", AttrKind::Int),
        Attr::float("scale", 0.0),
        Attr::str("update_rule", "gated_delta"),
    ],
    infer: |cx| {
        let s = Sizes::of(cx)?;
        s.check_gates(cx)?;
        let dtype = cx.dtype(0)?;
        let state = cx.get(3).map_or(dtype, |a| a.ty.dtype);
        Ok(vec![
            TensorType::new(dtype, [s.batch, s.steps, s.q_heads.saturating_mul(s.value)]),
            TensorType::new(state, [s.batch, s.kv_heads, s.key, s.value]),
        ])
    },
    semantics: |cx| {
        let s = Sizes::of(cx)?;
        let mut c = Composer::new(cx);
        let steps = Steps::new(&mut c, &s)?;
        let mut state = match c.get(3) {
            Some(past) => c.cast(past, DType::F32)?,
            None => {
                let zero = c.constant(Tensor::scalar_f64(DType::F32, 0.0));
                c.expand(zero, &[s.batch, s.kv_heads, s.key, s.value])?
            }
        };
        let mut outputs = Vec::with_capacity(s.steps);
        for t in 0..s.steps as i64 {
            let (next, read) = steps.run(&mut c, &s, state, t)?;
            state = next;
            outputs.push(read);
        }
        let y = c.concat(&outputs, 2)?;
        let y = heads::pack(&mut c, y)?;
        let scale = c.scalar(DType::F32, s.scale);
        let y = c.op(Mul, &[y, scale])?;
        let y = c.cast(y, cx.dtype(0)?)?;
        let present = c.cast(state, cx.get(3).map_or(cx.dtype(0)?, |a| a.ty.dtype))?;
        c.finish(&[y, present][..cx.outputs.clamp(1, 2)])
    },
    ..OpDef::NEW
};

/// Longest sequence that is unrolled.
const MAX_STEPS: usize = 512;

struct Sizes {
    batch: usize,
    steps: usize,
    q_heads: usize,
    kv_heads: usize,
    key: usize,
    value: usize,
    scale: f64,
    gated: bool,
    delta: bool,
}

impl Sizes {
    fn of(cx: &Cx) -> Result<Sizes, TypeError> {
        let (q_heads, kv_heads) = (
            heads::count(cx, "q_num_heads")?,
            heads::count(cx, "kv_num_heads")?,
        );
        heads::group(cx, q_heads, kv_heads)?;
        let (gated, delta) = match cx.str("update_rule")? {
            "linear" => (false, false),
            "gated" => (true, false),
            "delta" => (false, true),
            "gated_delta" => (true, true),
            other => {
                return Err(cx.attr_error(
                    "update_rule",
                    format!("must be linear, gated, delta or gated_delta, is {other}"),
                ));
            }
        };
        let (q, k, v) = (cx.shape(0)?, cx.shape(1)?, cx.shape(2)?);
        let ([batch, steps, q_width], [_, _, k_width], [_, _, v_width]) = (&q[..], &k[..], &v[..])
        else {
            return Err(cx.error("query, key and value must have rank 3"));
        };
        let key = heads::size(cx, *q_width, q_heads)?;
        let value = heads::size(cx, *v_width, kv_heads)?;
        if q[..2] != k[..2] || k[..2] != v[..2] || heads::size(cx, *k_width, kv_heads)? != key {
            return Err(cx.error(format!(
                "shapes do not fit: query {q:?}, key {k:?}, value {v:?}"
            )));
        }
        if !(1..=MAX_STEPS).contains(steps) {
            return Err(
                cx.unsupported(format!("{steps} steps, from 1 to {MAX_STEPS} are unrolled"))
            );
        }
        let scale = match cx.float("scale")? {
            0.0 => 1.0 / (key.max(1) as f64).sqrt(),
            scale => scale,
        };
        Ok(Sizes {
            batch: *batch,
            steps: *steps,
            q_heads,
            kv_heads,
            key,
            value,
            scale,
            gated,
            delta,
        })
    }

    fn check_gates(&self, cx: &Cx) -> Result<(), TypeError> {
        for (i, name, wanted) in [(4, "decay", self.gated), (5, "beta", self.delta)] {
            if cx.has(i) != wanted {
                let word = if wanted { "needs" } else { "excludes" };
                let rule = cx.str("update_rule")?;
                return Err(cx.error(format!("update rule {rule} {word} input {name}")));
            }
        }
        let heads = self.kv_heads;
        let state = [self.batch, heads, self.key, self.value];
        if cx.has(3) && cx.shape(3)? != state {
            return Err(cx.error(format!("past_state is {}, not {state:?}", cx.ty(3)?)));
        }
        for (i, widths) in [
            (4, [heads, heads.saturating_mul(self.key)]),
            (5, [heads, 1]),
        ] {
            let fits = |shape: &[usize]| match shape {
                [b, t, width] => [*b, *t] == [self.batch, self.steps] && widths.contains(width),
                _ => false,
            };
            if cx.has(i) && !fits(&cx.shape(i)?) {
                return Err(cx.error(format!(
                    "input {i} is {}, its last axis must be one of {widths:?}",
                    cx.ty(i)?
                )));
            }
        }
        Ok(())
    }
}

/// The operands of all steps in f32, `[batch, heads, steps, ..]`.
struct Steps {
    q: Value,
    k: Value,
    v: Value,
    /// `exp(decay)`.
    keep: Option<Value>,
    beta: Option<Value>,
}

/// `[batch, heads, steps, ..]` in f32.
fn unpacked(c: &mut Composer, x: Value, heads: usize) -> Result<Value, TypeError> {
    let x = c.cast(x, DType::F32)?;
    heads::unpack(c, x, heads)
}

impl Steps {
    fn new(c: &mut Composer, s: &Sizes) -> Result<Steps, TypeError> {
        let (q, k, v) = (c.arg(0), c.arg(1), c.arg(2));
        let q = unpacked(c, q, s.q_heads)?;
        let k = unpacked(c, k, s.kv_heads)?;
        let v = unpacked(c, v, s.kv_heads)?;
        let mut keep = None;
        if let Some(decay) = c.get(4) {
            let decay = unpacked(c, decay, s.kv_heads)?;
            keep = Some(c.op(Exp, &[decay])?);
        }
        let mut beta = None;
        if let Some(b) = c.get(5) {
            let [_, _, shared] = heads::extents(c, b);
            beta = Some(unpacked(c, b, shared)?);
        }
        Ok(Steps {
            q,
            k,
            v,
            keep,
            beta,
        })
    }

    /// The state after step `t` and what the queries read from it, not yet scaled.
    fn run(
        &self,
        c: &mut Composer,
        s: &Sizes,
        mut state: Value,
        t: i64,
    ) -> Result<(Value, Value), TypeError> {
        let key = c.slice(self.k, 2, t, t + 1)?;
        let mut written = c.slice(self.v, 2, t, t + 1)?;
        if let Some(keep) = self.keep {
            let keep = c.slice(keep, 2, t, t + 1)?;
            let keep = c.transpose(keep, &[0, 1, 3, 2])?;
            state = c.op(Mul, &[state, keep])?;
        }
        if let Some(beta) = self.beta {
            let known = c.op(MatMul, &[key, state])?;
            let error = c.op(Sub, &[written, known])?;
            let beta = c.slice(beta, 2, t, t + 1)?;
            written = c.op(Mul, &[beta, error])?;
        }
        let column = c.reshape(key, &[s.batch, s.kv_heads, s.key, 1])?;
        let outer = c.op(Mul, &[column, written])?;
        let state = c.op(Add, &[state, outer])?;
        let query = c.slice(self.q, 2, t, t + 1)?;
        Ok((state, heads::product(c, query, state)?))
    }
}
