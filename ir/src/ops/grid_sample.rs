//! GridSample: the input read at the positions of a grid, whose coordinates -1 and 1 are the ends of the image.
//! <https://onnx.ai/onnx/operators/onnx__GridSample.html>, Jaderberg et al., arXiv:1506.02025.

use crate::attrs::AttrValue;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::ops::OpKind::Gather;
use crate::ops::geometry;
use crate::ops::sampling::{Interpolation, Padding, Sampling, sample};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "GridSample",
    since: 16,
    inputs: &[Input::new("X", "T1"), Input::new("grid", "T2")],
    outputs: &[Output::new("Y", "T1")],
    types: &[("T1", sets::NUMERIC), ("T2", sets::FLOAT)],
    attrs: &[
        Attr::int("align_corners", 0),
        Attr::str("mode", "linear"),
        Attr::str("padding_mode", "zeros"),
    ],
    infer,
    semantics,
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let sizes = geometry::spatial(cx)?;
    let (x, grid) = (cx.ty(0)?, cx.ty(1)?);
    let coordinates = Dim::from(sizes.len());
    if grid.rank() != x.rank()
        || grid.shape[0] != x.shape[0]
        || grid.shape.last() != Some(&coordinates)
    {
        return Err(cx.error(format!(
            "the grid must have the shape [{},d..,{coordinates}], is {grid}",
            x.shape[0]
        )));
    }
    if sizes.contains(&0) {
        return Err(cx.error(format!("the input {x} has no pixels")));
    }
    sampling(cx)?;
    let places = &grid.shape[1..grid.rank() - 1];
    let shape = x.shape[..2].iter().chain(places).cloned();
    Ok(vec![TensorType::new(x.dtype, shape)])
}

fn sampling(cx: &Cx) -> Result<Sampling, TypeError> {
    let interpolation = match cx.str("mode")? {
        "nearest" => Interpolation::Nearest,
        "linear" | "bilinear" => Interpolation::Linear,
        "cubic" | "bicubic" => Interpolation::Cubic,
        other => {
            return Err(cx.attr_error(
                "mode",
                format!("must be nearest, linear or cubic, is '{other}'"),
            ));
        }
    };
    let padding = match cx.str("padding_mode")? {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => {
            return Err(cx.attr_error(
                "padding_mode",
                format!("must be zeros, border or reflection, is '{other}'"),
            ));
        }
    };
    Ok(Sampling {
        interpolation,
        padding,
        align_corners: cx.flag("align_corners")?,
    })
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (dtype, how) = (cx.dtype(0)?, sampling(cx)?);
    let (shape, grid) = (cx.shape(0)?, cx.shape(1)?);
    let places = &grid[1..grid.len() - 1];
    let compute = if dtype.is_float() {
        dtype.compute()
    } else {
        DType::F64
    };
    let mut c = Composer::new(cx);
    let x = c.cast(c.arg(0), compute)?;
    let at = cx.dtype(1)?.compute();
    let mut positions = Vec::new();
    for (axis, &size) in shape[2..].iter().enumerate() {
        // The grid names the innermost axis first.
        let number = c.constant(Tensor::scalar_i64(
            DType::I64,
            (places.len() - 1 - axis) as i64,
        ));
        let column = c.with(Gather, &[c.arg(1), number], [("axis", AttrValue::Int(-1))])?;
        let column = c.reshape(column, &[grid[0], places.iter().product()])?;
        let position = denormalize(&Ex::arg(0, at), size as f64, how.align_corners);
        positions.push(c.map(&position, &[column])?);
    }
    let y = sample(&mut c, x, &positions, how)?;
    let y = c.cast(y, dtype)?;
    let y = c.reshape(y, &[&shape[..2], places].concat())?;
    c.finish(&[y])
}

/// From [-1, 1] to pixels.
fn denormalize(n: &Ex, size: f64, align_corners: bool) -> Ex {
    if align_corners {
        (n + 1.0) * 0.5 * (size - 1.0)
    } else {
        ((n + 1.0) * size - 1.0) * 0.5
    }
}
