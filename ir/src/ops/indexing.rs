//! What the operators with indices share: checks of constant indices and of operand shapes.

use crate::attrs::AttrKind;
use crate::class::Scatter;
use crate::schema::{Attr, Cx, Preset, TypeError};
use crate::types::Dim;

/// Every index of input `i`, where that is a constant, must be in `[-extent, extent)`, where that is known.
pub fn check_range(cx: &Cx, i: usize, axis: usize, extent: &Dim) -> Result<(), TypeError> {
    let (Ok(indices), Some(extent)) = (cx.constant(i), extent.fixed()) else {
        return Ok(());
    };
    let extent = i128::from(extent);
    let outside = |v: &i64| i128::from(*v) < -extent || i128::from(*v) >= extent;
    match indices.to_i64().into_iter().find(outside) {
        Some(bad) => Err(cx.error(format!(
            "index {bad} is out of range for axis {axis} of extent {extent}"
        ))),
        None => Ok(()),
    }
}

/// Indices (input 1) that pick elements of input 0 along `axis`: one rank, elsewhere no larger than the data.
pub fn check_elements(cx: &Cx, axis: usize) -> Result<(), TypeError> {
    let (x, i) = (cx.ty(0)?, cx.ty(1)?);
    if x.rank() != i.rank() {
        return Err(cx.error(format!("data {x} and indices {i} differ in rank")));
    }
    let exceeds = |a: &usize| match (i.shape[*a].fixed(), x.shape[*a].fixed()) {
        (Some(i), Some(x)) => *a != axis && i > x,
        _ => *a != axis && i.shape[*a] != x.shape[*a],
    };
    match (0..x.rank()).find(exceeds) {
        Some(a) => Err(cx.error(format!("dimension {a} of indices {i} exceeds data {x}"))),
        None => check_range(cx, 1, axis, &x.shape[axis]),
    }
}

/// The coordinates that one vector of indices (the last axis of input 1) names, below the `batch` leading axes of input 0.
///
/// Constant indices are checked against those axes. Returns the number of coordinates.
pub fn check_vectors(cx: &Cx, batch: usize) -> Result<usize, TypeError> {
    let (x, i) = (cx.ty(0)?, cx.ty(1)?);
    let Some(last) = i.rank().checked_sub(1) else {
        return Err(cx.error("indices must have rank 1 or more, is a scalar"));
    };
    let width = cx.extent(1, last)? as usize;
    if batch > last || batch > x.rank() || width > x.rank() - batch {
        return Err(cx.error(format!(
            "indices {i} with {batch} batch dimensions do not address data {x}"
        )));
    }
    if let Ok(indices) = cx.constant(1)
        && width > 0
    {
        let indices = indices.to_i64();
        for (k, extent) in x.shape[batch..batch + width].iter().enumerate() {
            let Some(extent) = extent.fixed().map(i128::from) else {
                continue;
            };
            let mut column = indices.iter().skip(k).step_by(width);
            if let Some(bad) = column.find(|&&v| !(-extent..extent).contains(&i128::from(v))) {
                return Err(cx.error(format!(
                    "index {bad} is out of range for axis {} of extent {extent}",
                    batch + k
                )));
            }
        }
    }
    Ok(width)
}

/// The attribute that says how scattered values combine with what is there.
pub const REDUCTION: Attr = Attr::new("reduction", AttrKind::Str, Preset::Str("none")).since(16);

pub fn reduction(cx: &Cx) -> Result<Scatter, TypeError> {
    match cx.str("reduction")? {
        "none" => Ok(Scatter::Replace),
        "add" => Ok(Scatter::Add),
        "mul" => Ok(Scatter::Mul),
        "max" => Ok(Scatter::Max),
        "min" => Ok(Scatter::Min),
        other => Err(cx.attr_error(
            "reduction",
            format!("must be none, add, mul, max or min, is {other}"),
        )),
    }
}
