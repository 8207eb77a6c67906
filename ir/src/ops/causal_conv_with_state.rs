//! CausalConvWithState: a depthwise convolution over time that looks back only, `past_state` standing for what came before; yields
//! the last `k - 1` positions as the next state. <https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html>

use crate::attrs::AttrValue;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind::{Concat, Conv, Expand, Slice};
use crate::ops::mat_mul::may_equal;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "CausalConvWithState",
    since: 27,
    inputs: &[
        Input::new("input", "T"),
        Input::new("weight", "T"),
        Input::new("bias", "T").optional(),
        Input::new("past_state", "T").optional(),
    ],
    outputs: &[
        Output::new("output", "T"),
        Output::new("present_state", "T"),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::str("activation", "none")],
    infer,
    semantics,
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (x, w) = (cx.ty(0)?, cx.ty(1)?);
    if x.rank() != 3 || w.rank() != 3 {
        return Err(cx.error(format!(
            "wants an input [batch,channels,length] and weights [channels,1,k], has {x} and {w}"
        )));
    }
    let (channels, k) = (cx.extent(1, 0)?, cx.extent(1, 2)?);
    let state = Dim::Fixed(k.saturating_sub(1));
    let state = TensorType::new(x.dtype, [x.shape[0].clone(), x.shape[1].clone(), state]);
    let weights = [Dim::Fixed(channels), Dim::Fixed(1), Dim::Fixed(k)];
    if k == 0 || x.shape[1] != Dim::Fixed(channels) || w.shape != weights {
        return Err(cx.error(format!(
            "weights {w} are not depthwise over the {} channels of {x}",
            x.shape[1]
        )));
    }
    for (i, wanted) in [(2, &[Dim::Fixed(channels)][..]), (3, &state.shape[..])] {
        if let Some(v) = cx.get(i)
            && !(v.ty.rank() == wanted.len()
                && v.ty.shape.iter().zip(wanted).all(|(a, b)| may_equal(a, b)))
        {
            let wanted = TensorType::new(x.dtype, wanted.to_vec());
            return Err(cx.error(format!("input {i} must be {wanted}, is {}", v.ty)));
        }
    }
    activation(cx)?;
    Ok(vec![x.clone(), state])
}

/// Whether the result goes through SiLU.
fn activation(cx: &Cx) -> Result<bool, TypeError> {
    match cx.str("activation")? {
        "none" => Ok(false),
        "silu" | "swish" => Ok(true),
        other => Err(cx.attr_error(
            "activation",
            format!("must be none, silu or swish, is '{other}'"),
        )),
    }
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (shape, dtype) = (cx.shape(0)?, cx.dtype(0)?);
    let reach = cx.shape(1)?[2] - 1;
    let mut c = Composer::new(cx);
    let padded = padded(&mut c, cx, &[shape[0], shape[1], reach])?;
    let conv = c.multi(
        Conv,
        vec![Some(padded), Some(c.arg(1)), c.get(2)],
        [("group".to_string(), AttrValue::Int(shape[1] as i64))].into(),
        1,
    )?;
    let mut y = conv[0];
    if activation(cx)? {
        let x = Ex::arg(0, dtype);
        y = c.map(&(&x * &x.sigmoid()), &[y])?;
        y = c.cast(y, dtype)?;
    }
    let start = c.ints(&[shape[2] as i64]);
    let end = c.ints(&[(shape[2] + reach) as i64]);
    let axis = c.ints(&[2]);
    let state = c.op(Slice, &[padded, start, end, axis])?;
    c.finish(&[y, state])
}

/// The input with the past state, or zeros, before it.
fn padded(c: &mut Composer, cx: &Cx, past: &[usize; 3]) -> Result<Value, TypeError> {
    let before = match c.get(3) {
        Some(state) => state,
        None => {
            let shape = c.ints(&past.map(|d| d as i64));
            let zero = c.scalar(cx.dtype(0)?, 0.0);
            c.op(Expand, &[zero, shape])?
        }
    };
    c.with(Concat, &[before, c.arg(0)], [("axis", AttrValue::Int(2))])
}
