//! What the losses over class labels share: operands, the negative log-likelihood, its reduction.

use super::quantization::map;
use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind::{Div, Gather, GatherElements, ReduceSum, Squeeze, Unsqueeze};
use crate::ops::mat_mul::may_equal;
use crate::schema::{Attr, Cx, Preset, TypeError};
use crate::types::TensorType;

/// Attributes of the losses.
pub const ATTRS: &[Attr] = &[
    Attr::new("ignore_index", AttrKind::Int, Preset::Absent),
    Attr::str("reduction", "mean"),
];

/// How the losses of the elements become the result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    None,
    Sum,
    /// The sum over the sum of the weights.
    Mean,
}

fn reduction(cx: &Cx) -> Result<Reduction, TypeError> {
    match cx.str("reduction")? {
        "none" => Ok(Reduction::None),
        "sum" => Ok(Reduction::Sum),
        "mean" => Ok(Reduction::Mean),
        other => Err(cx.attr_error(
            "reduction",
            format!("must be none, sum or mean, is '{other}'"),
        )),
    }
}

/// The loss's type: scores `[N,C,d..]`, labels `[N,d..]`, weights `[C]`; the labels' shape, or a scalar.
pub fn infer(cx: &Cx) -> Result<TensorType, TypeError> {
    let (scores, labels) = (cx.ty(0)?, cx.ty(1)?);
    let (Some(batch), Some(classes)) = (scores.shape.first(), scores.shape.get(1)) else {
        return Err(cx.error(format!(
            "the scores must have the shape [N,C,d..], are {scores}"
        )));
    };
    let expected: Vec<_> = [batch].into_iter().chain(&scores.shape[2..]).collect();
    let fits = labels.rank() == expected.len()
        && labels
            .shape
            .iter()
            .zip(expected)
            .all(|(a, b)| may_equal(a, b));
    if !fits {
        return Err(cx.error(format!("labels {labels} do not fit scores {scores}")));
    }
    if let Some(weights) = cx.get(2).map(|w| w.ty)
        && (weights.rank() != 1 || !may_equal(&weights.shape[0], classes))
    {
        return Err(cx.error(format!("weights {weights} do not fit {classes} classes")));
    }
    Ok(match reduction(cx)? {
        Reduction::None => TensorType::new(scores.dtype, labels.shape.iter().cloned()),
        _ => TensorType::scalar(scores.dtype),
    })
}

/// `-weight[label] * log_prob[label]` reduced; the labels are input 1, the weights input 2. An ignored label has loss and weight 0.
pub fn negative_log_likelihood(
    cx: &Cx,
    c: &mut Composer,
    log_prob: Value,
) -> Result<Value, TypeError> {
    let (dtype, ignored) = (c.ty(log_prob).dtype, cx.opt_int("ignore_index"));
    let labels = c.arg(1);
    let is_ignored = |label: &Ex| ignored.map(|i| label.eq(&Ex::int(label.dtype(), i)));
    let or_zero = |label: &Ex, x: Ex| match is_ignored(label) {
        Some(skip) => skip.select(&x.lit(0.0), &x),
        None => x,
    };
    let index = map(c, &[labels], cx.dtype(1)?, |a| or_zero(&a[0], a[0].clone()))?;
    let axis = c.ints(&[1]);
    let column = c.op(Unsqueeze, &[index, axis])?;
    let picked = c.with(
        GatherElements,
        &[log_prob, column],
        [("axis", AttrValue::Int(1))],
    )?;
    let picked = c.op(Squeeze, &[picked, axis])?;
    let weight = match c.get(2) {
        Some(weights) => {
            let weights = c.cast(weights, dtype)?;
            let own = c.op(Gather, &[weights, index])?;
            map(c, &[labels, own], dtype, |a| or_zero(&a[0], a[1].clone()))?
        }
        None => map(c, &[labels], dtype, |a| {
            or_zero(&a[0], Ex::float(dtype, 1.0))
        })?,
    };
    let loss = map(c, &[labels, picked, weight], dtype, |a| {
        or_zero(&a[0], (&a[1] * &a[2]).neg())
    })?;
    let axes: Vec<i64> = (0..cx.rank(1)? as i64).collect();
    match reduction(cx)? {
        Reduction::None => Ok(loss),
        Reduction::Sum => c.reduce(ReduceSum, loss, &axes, false),
        Reduction::Mean => {
            let (sum, total) = (
                c.reduce(ReduceSum, loss, &axes, false)?,
                c.reduce(ReduceSum, weight, &axes, false)?,
            );
            c.op(Div, &[sum, total])
        }
    }
}
