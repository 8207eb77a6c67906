//! AffineGrid: the grid of GridSample that an affine map makes: `grid = theta * [x, y, (z,) 1]` for every pixel.
//! <https://onnx.ai/onnx/operators/onnx__AffineGrid.html>

use crate::class::Semantics;
use crate::compose::Composer;
use crate::ops::OpKind::MatMul;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "AffineGrid",
    since: 20,
    inputs: &[Input::new("theta", "T1"), Input::new("size", "i64")],
    outputs: &[Output::new("grid", "T1")],
    types: &[("T1", sets::FLOAT)],
    attrs: &[Attr::int("align_corners", 0)],
    infer: |cx| {
        let (batch, sizes) = sizes(cx)?;
        let shape = [&[batch], &sizes[..], &[sizes.len()]].concat();
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics,
    ..OpDef::NEW
};

/// Most pixels of the image: their coordinates are a constant of the compiled network.
const MAX_PIXELS: usize = 1 << 26;

/// Batch and spatial sizes of the image.
fn sizes(cx: &Cx) -> Result<(usize, Vec<usize>), TypeError> {
    let size = cx.constant(1)?.to_i64();
    let size = size
        .iter()
        .map(|&d| usize::try_from(d).ok().filter(|&d| d > 0))
        .collect::<Option<Vec<_>>>()
        .filter(|s| matches!(s.len(), 4 | 5))
        .ok_or_else(|| {
            cx.error(format!(
                "size must be a shape [N,C,H,W] or [N,C,D,H,W], is {size:?}"
            ))
        })?;
    let sizes = size[2..].to_vec();
    let wanted = TensorType::new(cx.dtype(0)?, [size[0], sizes.len(), sizes.len() + 1]);
    if *cx.ty(0)? != wanted {
        return Err(cx.error(format!(
            "theta must have the type {wanted}, is {}",
            cx.ty(0)?
        )));
    }
    if element_count(&sizes).is_none_or(|n| n > MAX_PIXELS) {
        return Err(cx.error(format!(
            "an image of size {sizes:?} is too large for memory"
        )));
    }
    Ok((size[0], sizes))
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (batch, sizes) = sizes(cx)?;
    let (dtype, align_corners) = (cx.dtype(0)?, cx.flag("align_corners")?);
    let pixels: usize = sizes.iter().product();
    let mut base = Vec::with_capacity((sizes.len() + 1) * pixels);
    // The innermost axis is x, the first coordinate.
    for axis in (0..sizes.len()).rev() {
        let inner: usize = sizes[axis + 1..].iter().product();
        let size = sizes[axis];
        base.extend((0..pixels).map(|p| coordinate(p / inner % size, size, align_corners)));
    }
    base.resize((sizes.len() + 1) * pixels, 1.0);
    let mut c = Composer::new(cx);
    let theta = c.cast(c.arg(0), dtype.compute())?;
    let base = c.constant(Tensor::from_f64(
        dtype.compute(),
        &[sizes.len() + 1, pixels],
        &base,
    ));
    let grid = c.op(MatMul, &[theta, base])?;
    let grid = c.transpose(grid, &[0, 2, 1])?;
    let grid = c.cast(grid, dtype)?;
    let grid = c.reshape(grid, &[&[batch], &sizes[..], &[sizes.len()]].concat())?;
    c.finish(&[grid])
}

/// Position of pixel `i` of `size` between -1 and 1.
fn coordinate(i: usize, size: usize, align_corners: bool) -> f64 {
    let (i, size) = (i as f64, size as f64);
    match align_corners {
        true if size == 1.0 => 0.0,
        true => 2.0 * i / (size - 1.0) - 1.0,
        false => (2.0 * i + 1.0) / size - 1.0,
    }
}
