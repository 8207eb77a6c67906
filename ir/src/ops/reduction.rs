//! What the Reduce* operators share: the axes, the result's shape, the class.

use crate::class::{Combine, Reduce, Semantics};
use crate::expr::ScalarExpr;
use crate::schema::{Cx, TypeError};
use crate::types::{Dim, TensorType};

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
