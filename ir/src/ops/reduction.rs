//! What the Reduce* operators share: the axes, the result's shape, the class.

use crate::class::{Combine, Reduce, Semantics};
use crate::expr::ScalarExpr;
use crate::schema::{Attr, Cx, TypeError};
use crate::types::{DType, Dim, TensorType};

/// Attributes of the reductions whose axes became an input in opset 18.
pub const ATTRS: &[Attr] = &[
    Attr::int("keepdims", 1),
    Attr::int("noop_with_empty_axes", 0).since(18),
    Attr::ints("axes").until(17).becomes_input(1),
];

/// The reduced axes: input 1, all axes where it is absent or empty; `None` where nothing is to be reduced at all.
pub fn axes(cx: &Cx) -> Result<Option<Vec<usize>>, TypeError> {
    let rank = cx.rank(0)?;
    let axes = cx.const_ints(1)?.unwrap_or_default();
    if !axes.is_empty() {
        return Ok(Some(cx.normalize_axes(&axes, rank)?));
    }
    Ok(if cx.flag("noop_with_empty_axes")? {
        None
    } else {
        Some((0..rank).collect())
    })
}

pub fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axes = axes(cx)?.unwrap_or_default();
    let keep = cx.flag("keepdims")?;
    let shape = x
        .shape
        .iter()
        .enumerate()
        .filter_map(|(i, d)| match axes.contains(&i) {
            true if keep => Some(Dim::Fixed(1)),
            true => None,
            false => Some(d.clone()),
        });
    Ok(vec![TensorType::new(x.dtype, shape)])
}

pub fn semantics(
    cx: &Cx,
    combine: Combine,
    map: Option<ScalarExpr>,
    finish: Option<ScalarExpr>,
) -> Result<Semantics, TypeError> {
    let axes = axes(cx)?.unwrap_or_default();
    Ok(Semantics::Reduce(Reduce {
        axes,
        keepdims: cx.flag("keepdims")?,
        combine,
        map,
        finish,
    }))
}

/// The type of ArgMax and ArgMin.
pub fn infer_position(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axis = cx.axis("axis", x.rank())?;
    if x.shape[axis] == Dim::Fixed(0) {
        return Err(cx.error(format!("axis {axis} of {x} has no elements")));
    }
    let mut shape = x.shape.clone();
    if cx.flag("keepdims")? {
        shape[axis] = Dim::Fixed(1);
    } else {
        shape.remove(axis);
    }
    Ok(vec![TensorType::new(DType::I64, shape)])
}

/// The meaning of ArgMax and ArgMin.
pub fn position(cx: &Cx, combine: Combine) -> Result<Semantics, TypeError> {
    let axes = vec![cx.axis("axis", cx.rank(0)?)?];
    Ok(Semantics::Reduce(Reduce {
        axes,
        keepdims: cx.flag("keepdims")?,
        combine,
        map: None,
        finish: None,
    }))
}
