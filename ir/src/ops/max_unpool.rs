//! MaxUnpool: puts maxima back where MaxPool found them, zeros elsewhere. <https://onnx.ai/onnx/operators/onnx__MaxUnpool.html>
//!
//! The indices count in the size that kernel, strides and pads imply; a larger `output_shape` adds zeros at the ends.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::ops::OpKind::{Concat, Expand, ScatterElements};
use crate::ops::geometry;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "MaxUnpool",
    since: 9,
    inputs: &[
        Input::new("X", "T1"),
        Input::new("I", "i64"),
        Input::new("output_shape", "i64").optional(),
    ],
    outputs: &[Output::new("output", "T1")],
    types: &[("T1", sets::FLOAT)],
    attrs: &[
        Attr::required("kernel_shape", AttrKind::Ints),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, shapes(cx)?.1)]),
    semantics,
    ..OpDef::NEW
};

/// The shape in which indices count, and the shape of the result.
fn shapes(cx: &Cx) -> Result<(Vec<usize>, Vec<usize>), TypeError> {
    let input = geometry::spatial(cx)?;
    let axes = input.len();
    if cx.ty(1)?.shape != cx.ty(0)?.shape {
        return Err(cx.error(format!(
            "indices {} do not have the shape of the input {}",
            cx.ty(1)?,
            cx.ty(0)?
        )));
    }
    let kernel = geometry::per_axis(cx, "kernel_shape", axes, 1, 0)?;
    let strides = geometry::per_axis(cx, "strides", axes, 1, 1)?;
    let (begin, end) = geometry::pads(cx, axes)?;
    let mut implied = cx.shape(0)?;
    for a in 0..axes {
        let full = (input[a] as i128 - 1) * strides[a] as i128 + kernel[a] as i128;
        let size = geometry::size(cx, full - begin[a] as i128 - end[a] as i128)?;
        implied[a + 2] = size;
    }
    if !TensorType::new(cx.dtype(0)?, implied.clone()).fits_memory() {
        return Err(cx.error(format!("the size {implied:?} is too large for memory")));
    }
    let Some(wanted) = cx.const_ints(2)? else {
        return Ok((implied.clone(), implied));
    };
    let target: Option<Vec<usize>> = wanted.iter().map(|&d| usize::try_from(d).ok()).collect();
    target
        .filter(|t| {
            t.len() == implied.len()
                && t[..2] == implied[..2]
                && t.iter().zip(&implied).all(|(t, i)| t >= i)
                && element_count(t).is_some()
        })
        .map(|target| (implied.clone(), target))
        .ok_or_else(|| {
            cx.error(format!(
                "output_shape {wanted:?} must not be smaller than {implied:?}"
            ))
        })
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (mut shape, target) = shapes(cx)?;
    let dtype = cx.dtype(0)?;
    let count = cx.shape(0)?.iter().product();
    let mut c = Composer::new(cx);
    let zero = c.scalar(dtype, 0.0);
    let cells: usize = shape.iter().product();
    let size = c.ints(&[cells as i64]);
    let empty = c.op(Expand, &[zero, size])?;
    let indices = c.reshape(c.arg(1), &[count])?;
    let values = c.reshape(c.arg(0), &[count])?;
    let filled = c.op(ScatterElements, &[empty, indices, values])?;
    let mut y = c.reshape(filled, &shape)?;
    for axis in 2..shape.len() {
        if target[axis] > shape[axis] {
            let mut end: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
            end[axis] = (target[axis] - shape[axis]) as i64;
            let end = c.ints(&end);
            let zeros = c.op(Expand, &[zero, end])?;
            y = c.with(Concat, &[y, zeros], [("axis", AttrValue::Int(axis as i64))])?;
            shape[axis] = target[axis];
        }
    }
    c.finish(&[y])
}
