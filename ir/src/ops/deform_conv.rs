//! DeformConv: a convolution whose taps are moved by learned offsets, and weighted by a mask.
//! <https://onnx.ai/onnx/operators/onnx__DeformConv.html>, Dai et al., arXiv:1703.06211; Zhu et al., arXiv:1811.11168.
//!
//! All taps are sampled into columns `[N, C, taps, positions]`; a matrix product with the weights follows.

use crate::attrs::AttrValue;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind::{Gather, MatMul};
use crate::ops::conv;
use crate::ops::geometry::{self, Geometry};
use crate::ops::sampling::{Interpolation, Padding, Sampling, sample};
use crate::schema::{Attr, Cx, Input, OpDef, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "DeformConv",
    since: 19,
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("offset", "T"),
        Input::new("B", "T").optional(),
        Input::new("mask", "T").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::ints("dilations"),
        Attr::int("group", 1),
        Attr::ints("kernel_shape"),
        Attr::int("offset_group", 1),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        let form = form(cx)?;
        let x = cx.ty(0)?;
        let shape = geometry::image(&x.shape[0], form.made.into(), &form.geometry.output);
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics,
    ..OpDef::NEW
};

struct Form {
    groups: usize,
    offset_groups: usize,
    /// Output channels.
    made: usize,
    /// Taps of the kernel.
    taps: usize,
    geometry: Geometry,
}

fn form(cx: &Cx) -> Result<Form, TypeError> {
    let input = geometry::spatial(cx)?;
    if cx.rank(1)? != cx.rank(0)? {
        return Err(cx.error(format!(
            "weights {} do not have the rank of the input {}",
            cx.ty(1)?,
            cx.ty(0)?
        )));
    }
    let (x, w) = (geometry::extents(cx, 0, 1)?, geometry::extents(cx, 1, 0)?);
    let groups = conv::groups(cx)?;
    if w[1].checked_mul(groups) != Some(x[0]) || !w[0].is_multiple_of(groups) {
        return Err(cx.error(format!(
            "weights {} in {groups} group(s) do not fit the {} channels of the input",
            cx.ty(1)?,
            x[0]
        )));
    }
    let offset_groups = cx.int("offset_group")?;
    let offset_groups = usize::try_from(offset_groups)
        .ok()
        .filter(|&g| g > 0 && x[0].is_multiple_of(g))
        .ok_or_else(|| {
            cx.attr_error(
                "offset_group",
                format!(
                    "is {offset_groups}, which does not divide the {} channels",
                    x[0]
                ),
            )
        })?;
    let kernel = geometry::weight_kernel(cx)?;
    let taps = kernel.iter().product::<usize>();
    let axes = input.len();
    let geometry = geometry::windows(cx, &input, kernel, false)?;
    let batch = &cx.ty(0)?.shape[0];
    let planes = offset_groups * taps;
    expect(
        cx,
        2,
        geometry::image(batch, (planes * axes).into(), &geometry.output),
    )?;
    expect(cx, 3, vec![w[0].into()])?;
    expect(
        cx,
        4,
        geometry::image(batch, planes.into(), &geometry.output),
    )?;
    Ok(Form {
        groups,
        offset_groups,
        made: w[0],
        taps,
        geometry,
    })
}

/// Checks that input `i`, where given, has that shape.
fn expect(cx: &Cx, i: usize, shape: Vec<Dim>) -> Result<(), TypeError> {
    let wanted = TensorType::new(cx.dtype(0)?, shape);
    match cx.get(i) {
        Some(v) if *v.ty != wanted => Err(cx.error(format!(
            "input {i} ('{}') must be {wanted}, is {}",
            cx.def.inputs[i].name, v.ty
        ))),
        _ => Ok(()),
    }
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (form, x, dtype) = (form(cx)?, cx.shape(0)?, cx.dtype(0)?);
    let compute = dtype.compute();
    let (batch, channels) = (x[0], x[1]);
    let places: usize = form.geometry.output.iter().product();
    let images = batch * form.offset_groups;
    let points = form.taps * places;
    let mut c = Composer::new(cx);
    let mut positions = Vec::new();
    for axis in 0..x.len() - 2 {
        positions.push(position(&mut c, cx, &form, axis, [images, points])?);
    }
    let image = c.cast(c.arg(0), compute)?;
    let image = c.reshape(
        image,
        &[&[images, channels / form.offset_groups], &x[2..]].concat(),
    )?;
    let how = Sampling {
        interpolation: Interpolation::Linear,
        padding: Padding::Zeros,
        align_corners: true,
    };
    let mut columns = sample(&mut c, image, &positions, how)?;
    if let Some(mask) = c.get(4) {
        let mask = c.cast(mask, compute)?;
        let mask = c.reshape(mask, &[images, 1, points])?;
        columns = c.map(
            &(Ex::arg(0, compute) * Ex::arg(1, compute)),
            &[columns, mask],
        )?;
    }
    let depth = channels / form.groups * form.taps;
    let columns = c.reshape(columns, &[batch, form.groups, depth, places])?;
    let weights = c.cast(c.arg(1), compute)?;
    let weights = c.reshape(weights, &[form.groups, form.made / form.groups, depth])?;
    let mut y = c.op(MatMul, &[weights, columns])?;
    y = c.reshape(y, &[batch, form.made, places])?;
    if let Some(bias) = c.get(3) {
        let bias = c.cast(bias, compute)?;
        let bias = c.reshape(bias, &[form.made, 1])?;
        y = c.map(&(Ex::arg(0, compute) + Ex::arg(1, compute)), &[y, bias])?;
    }
    let y = c.cast(y, dtype)?;
    let y = c.reshape(
        y,
        &[&[batch, form.made], &form.geometry.output[..]].concat(),
    )?;
    c.finish(&[y])
}

/// Where along `axis` every tap of every output position reads, `[images, points]`: its place in the grid plus its offset.
fn position(
    c: &mut Composer,
    cx: &Cx,
    form: &Form,
    axis: usize,
    shape: [usize; 2],
) -> Result<Value, TypeError> {
    let g = &form.geometry;
    let axes = g.kernel.len();
    let compute = cx.dtype(0)?.compute();
    let offset = c.cast(c.arg(2), compute)?;
    let split = [shape[0], form.taps, axes, shape[1] / form.taps];
    let offset = c.reshape(offset, &split)?;
    let number = c.constant(Tensor::scalar_i64(DType::I64, axis as i64));
    let axis_attr = [("axis", AttrValue::Int(2))];
    let offset = c.with(Gather, &[offset, number], axis_attr)?;
    let offset = c.reshape(offset, &shape)?;
    let inner = |sizes: &[usize]| sizes[axis + 1..].iter().product::<usize>();
    let (kernel_inner, output_inner) = (inner(&g.kernel), inner(&g.output));
    let places: usize = g.output.iter().product();
    let base: Vec<f64> = (0..shape[1])
        .map(|p| {
            let tap = p / places / kernel_inner % g.kernel[axis] * g.dilations[axis];
            let start = p % places / output_inner % g.output[axis] * g.strides[axis];
            (start + tap) as f64 - g.pads_begin[axis] as f64
        })
        .collect();
    let base = c.constant(Tensor::from_f64(compute, &[1, shape[1]], &base));
    c.map(
        &(Ex::arg(0, compute) + Ex::arg(1, compute)),
        &[offset, base],
    )
}
