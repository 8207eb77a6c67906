//! Resize: resamples axes by nearest neighbour, linear or cubic interpolation. <https://onnx.ai/onnx/operators/onnx__Resize.html>
//!
//! Interpolation is separable and its tables depend on shapes only, so an axis becomes a Gather with constant indices (nearest),
//! a sum of weighted Gathers (linear, cubic), or a product with a constant matrix (the many taps of antialiasing).

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::interpolation::{Axis, Coordinates, Filter, Nearest, Taps};
use crate::schema::{AdaptInput, Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Resize",
    since: 10,
    inputs: &[
        Input::new("X", "T1"),
        Input::new("roi", "T2").optional().since(11),
        Input::new("scales", "f32").optional(),
        Input::new("sizes", "i64").optional().since(11),
    ],
    outputs: &[Output::new("Y", "T1")],
    types: &[("T1", sets::ALL), ("T2", sets::FLOAT)],
    attrs: &[
        Attr::int("antialias", 0).since(18),
        Attr::ints("axes").since(18),
        Attr::str("coordinate_transformation_mode", "half_pixel").since(11),
        Attr::float("cubic_coeff_a", -0.75).since(11),
        Attr::int("exclude_outside", 0).since(11),
        Attr::float("extrapolation_value", 0.0).since(11),
        Attr::str("keep_aspect_ratio_policy", "stretch").since(18),
        Attr::new("mode", AttrKind::Str, Preset::Str("nearest")),
        Attr::str("nearest_mode", "round_prefer_floor").since(11),
    ],
    infer: |cx| {
        mode(cx)?;
        nearest_mode(cx)?;
        let x = cx.ty(0)?;
        let mut shape = x.shape.clone();
        for (axis, resized) in plan(cx)? {
            shape[axis] = Dim::from(resized.output);
        }
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics,
    // Opset 10 (and Upsample) had `X, scales` and knew one way of taking coordinates.
    adapt: Some(|node| {
        if node.opset < 11 {
            let at = node.inputs.len().min(1);
            node.inputs.insert(at, AdaptInput::Absent);
            for (name, value) in [
                ("coordinate_transformation_mode", "asymmetric"),
                ("nearest_mode", "floor"),
            ] {
                node.attrs.insert(name.into(), AttrValue::Str(value.into()));
            }
        }
        Ok(())
    }),
    ..OpDef::NEW
};

/// Largest extent that a resized axis may have: its tables are held in memory while compiling.
const MAX_EXTENT: f64 = (1u64 << 24) as f64;

enum Mode {
    Nearest,
    Mix(Filter),
}

fn mode(cx: &Cx) -> Result<Mode, TypeError> {
    Ok(match cx.str("mode")? {
        "nearest" if cx.flag("antialias")? => {
            return Err(cx.attr_error("antialias", "does not go with mode nearest"));
        }
        "nearest" => Mode::Nearest,
        "linear" | "bilinear" => Mode::Mix(Filter::Linear),
        "cubic" => Mode::Mix(Filter::Cubic {
            a: cx.float("cubic_coeff_a")?,
        }),
        other => {
            return Err(cx.attr_error(
                "mode",
                format!("must be nearest, linear or cubic, is '{other}'"),
            ));
        }
    })
}

fn nearest_mode(cx: &Cx) -> Result<Nearest, TypeError> {
    Ok(match cx.str("nearest_mode")? {
        "round_prefer_floor" => Nearest::RoundPreferFloor,
        "round_prefer_ceil" => Nearest::RoundPreferCeil,
        "floor" => Nearest::Floor,
        "ceil" => Nearest::Ceil,
        other => return Err(cx.attr_error("nearest_mode", format!("is unknown: '{other}'"))),
    })
}

/// The axes that change, each with its resampling.
fn plan(cx: &Cx) -> Result<Vec<(usize, Axis)>, TypeError> {
    let rank = cx.rank(0)?;
    let axes = match cx.opt_ints("axes") {
        None => (0..rank).collect(),
        Some(axes) => {
            cx.normalize_axes(&axes, rank)?;
            axes.iter()
                .map(|&a| cx.normalize_axis(a, rank))
                .collect::<Result<Vec<_>, _>>()?
        }
    };
    let mut plan = Vec::new();
    for (i, extent) in extents(cx, &axes)?.into_iter().enumerate() {
        let Some(extent) = extent else {
            continue;
        };
        let input = cx.extent(0, axes[i])? as usize;
        let output = extent.output;
        if input == 0 || output < 1.0 {
            return Err(cx.error(format!(
                "axis {} of extent {input} cannot be resized to extent {output}",
                axes[i]
            )));
        }
        if input as f64 > MAX_EXTENT || output > MAX_EXTENT {
            return Err(cx.error(format!(
                "axis {} of extent {input} to extent {output}: too large for memory",
                axes[i]
            )));
        }
        let resized = Axis {
            input,
            output: output as usize,
            scale: extent.scale,
            width: extent.width,
            coordinates: coordinates(cx, i, axes.len())?,
        };
        if !resized.is_identity() {
            plan.push((axes[i], resized));
        }
    }
    plan.sort_by_key(|p| p.0);
    Ok(plan)
}

/// What `sizes` or `scales` say about one axis; `width` is the output's extent before rounding.
struct Extent {
    output: f64,
    scale: f64,
    width: f64,
}

/// The extents of each axis, from `sizes` or `scales`; `None` where a scale of 1 keeps an axis.
fn extents(cx: &Cx, axes: &[usize]) -> Result<Vec<Option<Extent>>, TypeError> {
    let sizes = cx.const_ints(3)?.filter(|s| !s.is_empty());
    let scales = match cx.has(2) {
        true => Some(cx.constant(2)?.to_f64()).filter(|s| !s.is_empty()),
        false => None,
    };
    let given = sizes
        .as_ref()
        .map(Vec::len)
        .or(scales.as_ref().map(Vec::len));
    if given != Some(axes.len()) {
        return Err(cx.error(format!(
            "wants scales or sizes with {} entries, one an axis",
            axes.len()
        )));
    }
    match (sizes, scales) {
        (Some(sizes), None) => from_sizes(cx, axes, &sizes),
        (None, Some(scales)) => scales
            .iter()
            .zip(axes)
            .map(|(&scale, &axis)| from_scale(cx, axis, scale))
            .collect(),
        _ => Err(cx.error("scales and sizes must not both be given")),
    }
}

fn from_scale(cx: &Cx, axis: usize, scale: f64) -> Result<Option<Extent>, TypeError> {
    if !scale.is_finite() || scale <= 0.0 {
        return Err(cx.error(format!(
            "scale {scale} of axis {axis} is not positive and finite"
        )));
    }
    let cropped = cx.str("coordinate_transformation_mode")? == "tf_crop_and_resize";
    if scale == 1.0 && !cropped {
        return Ok(None);
    }
    // In f32, as the exporters that chose the scale for a wanted size counted on.
    let input = cx.extent(0, axis)?;
    let output = f64::from((input as f32 * scale as f32).floor());
    Ok(Some(Extent {
        output,
        scale,
        width: scale * input as f64,
    }))
}

fn from_sizes(cx: &Cx, axes: &[usize], sizes: &[i64]) -> Result<Vec<Option<Extent>>, TypeError> {
    let inputs = axes
        .iter()
        .map(|&a| cx.extent(0, a).map(|d| d as f64))
        .collect::<Result<Vec<_>, _>>()?;
    let scales = inputs.iter().zip(sizes).map(|(&d, &s)| s as f64 / d);
    let scale = match cx.str("keep_aspect_ratio_policy")? {
        "stretch" => {
            return Ok(scales
                .zip(sizes)
                .map(|(scale, &size)| {
                    let width = size as f64;
                    Some(Extent {
                        output: width,
                        scale,
                        width,
                    })
                })
                .collect());
        }
        "not_larger" => scales.fold(f64::INFINITY, f64::min),
        "not_smaller" => scales.fold(0.0, f64::max),
        other => {
            return Err(cx.attr_error(
                "keep_aspect_ratio_policy",
                format!("must be stretch, not_larger or not_smaller, is '{other}'"),
            ));
        }
    };
    Ok(inputs
        .iter()
        .map(|&d| {
            let width = scale * d;
            Some(Extent {
                output: (width + 0.5).floor(),
                scale,
                width,
            })
        })
        .collect())
}

/// The way to take coordinates along entry `i` of `count` axes.
fn coordinates(cx: &Cx, i: usize, count: usize) -> Result<Coordinates, TypeError> {
    Ok(match cx.str("coordinate_transformation_mode")? {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
        "tf_crop_and_resize" => match cx.constant(1)?.to_f64().as_slice() {
            roi if roi.len() == 2 * count && roi.iter().all(|v| v.is_finite()) => {
                Coordinates::TfCropAndResize {
                    start: roi[i],
                    end: roi[count + i],
                }
            }
            roi => {
                return Err(cx.error(format!(
                    "roi must have {} finite entries (all starts, then all ends), is {roi:?}",
                    2 * count
                )));
            }
        },
        other => {
            return Err(cx.attr_error(
                "coordinate_transformation_mode",
                format!("is unknown: '{other}'"),
            ));
        }
    })
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (dtype, mode) = (cx.dtype(0)?, mode(cx)?);
    // Wide enough for every value of an integer type.
    let compute = match (&mode, dtype.size()) {
        (Mode::Nearest, _) => dtype,
        _ if dtype.is_float() => dtype.compute(),
        (_, 1 | 2) => DType::F32,
        _ => DType::F64,
    };
    let mut c = Composer::new(cx);
    let mut x = c.cast(c.arg(0), compute)?;
    for (axis, resized) in plan(cx)? {
        x = match mode {
            Mode::Nearest => gather(&mut c, x, axis, resized.nearest(nearest_mode(cx)?))?,
            Mode::Mix(filter) => {
                let outside = cx.flag("exclude_outside")?;
                let taps = resized.taps(filter, cx.flag("antialias")?, outside);
                mix(&mut c, x, axis, &resized, &taps)?
            }
        };
        x = extrapolate(&mut c, x, axis, &resized, cx.float("extrapolation_value")?)?;
    }
    if compute != dtype && !dtype.is_float() {
        x = c.op(Round, &[x])?;
    }
    let y = if compute == dtype {
        c.op(Identity, &[x])?
    } else {
        c.cast(x, dtype)?
    };
    c.finish(&[y])
}

fn gather(c: &mut Composer, x: Value, axis: usize, indices: Vec<i64>) -> Result<Value, TypeError> {
    let indices = c.ints(&indices);
    c.with(
        Gather,
        &[x, indices],
        [("axis", AttrValue::Int(axis as i64))],
    )
}

/// Weighted sums of cells along an axis.
fn mix(
    c: &mut Composer,
    x: Value,
    axis: usize,
    resized: &Axis,
    taps: &Taps,
) -> Result<Value, TypeError> {
    let dtype = c.ty(x).dtype;
    if taps.count > 4 {
        return multiply(c, x, axis, resized, taps);
    }
    let mut sum = None;
    for t in 0..taps.count {
        let (indices, weights) = taps.column(t);
        let cells = gather(c, x, axis, indices)?;
        let shape = along(c, x, axis, resized.output);
        let weights = c.constant(Tensor::from_f64(dtype, &shape, &weights));
        let term = c.op(Mul, &[cells, weights])?;
        sum = Some(match sum {
            None => term,
            Some(sum) => c.op(Add, &[sum, term])?,
        });
    }
    Ok(sum.unwrap_or(x))
}

/// The taps as a matrix product over `[outer, extent, inner]`.
fn multiply(
    c: &mut Composer,
    x: Value,
    axis: usize,
    resized: &Axis,
    taps: &Taps,
) -> Result<Value, TypeError> {
    let dtype = c.ty(x).dtype;
    let mut shape = c.ty(x).fixed_shape().unwrap_or_default();
    let outer = shape[..axis].iter().product();
    let inner = shape[axis + 1..].iter().product();
    let matrix = [resized.output, resized.input];
    let matrix = c.constant(Tensor::from_f64(
        dtype,
        &matrix,
        &taps.matrix(resized.input),
    ));
    let rows = c.reshape(x, &[outer, resized.input, inner])?;
    let y = c.op(MatMul, &[matrix, rows])?;
    shape[axis] = resized.output;
    c.reshape(y, &shape)
}

/// Puts the extrapolation value where the region of interest leaves the input.
fn extrapolate(
    c: &mut Composer,
    x: Value,
    axis: usize,
    resized: &Axis,
    value: f64,
) -> Result<Value, TypeError> {
    let outside: Vec<i64> = (0..resized.output)
        .map(|y| resized.extrapolated(y).into())
        .collect();
    if outside.iter().all(|&o| o == 0) {
        return Ok(x);
    }
    let shape = along(c, x, axis, resized.output);
    let outside = c.constant(Tensor::from_i64(DType::Bool, &shape, &outside));
    let value = c.scalar(c.ty(x).dtype, value);
    c.op(Where, &[outside, value, x])
}

/// The shape of a vector that broadcasts along `axis` of `x`.
fn along(c: &Composer, x: Value, axis: usize, extent: usize) -> Vec<usize> {
    let mut shape = vec![1; c.ty(x).rank() - axis];
    shape[0] = extent;
    shape
}
