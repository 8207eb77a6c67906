//! Conv: `y[n,m,o..] = b[m] + sum_{c,k..} x[n,c,o*stride + k*dilation - pad] * w[m,c,k..]`, in groups of channels.
//! <https://onnx.ai/onnx/operators/onnx__Conv.html>

use crate::class::{Contract, Conv, Semantics};
use crate::ops::geometry::{self, Geometry};
use crate::schema::{Attr, Cx, Input, OpDef, TypeError};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Conv",
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("B", "T").optional(),
    ],
    types: &[("T", TYPES)],
    attrs: ATTRS,
    infer: |cx| Ok(vec![infer(cx)?]),
    semantics: |cx| {
        let (groups, g) = geometry(cx)?;
        Ok(Semantics::Contract(Contract::Conv(Conv {
            groups,
            kernel: g.kernel,
            strides: g.strides,
            dilations: g.dilations,
            pads_begin: g.pads_begin,
            pads_end: g.pads_end,
        })))
    },
    ..OpDef::NEW
};

/// ONNX's element types, and the one that quantised convolutions accumulate in.
const TYPES: &[DType] = &[DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32];

/// The attributes of every convolution.
pub const ATTRS: &[Attr] = &[
    Attr::str("auto_pad", "NOTSET"),
    Attr::ints("dilations"),
    Attr::int("group", 1),
    Attr::ints("kernel_shape"),
    Attr::ints("pads"),
    Attr::ints("strides"),
];

/// The type of the result, with the input's element type.
pub fn infer(cx: &Cx) -> Result<TensorType, TypeError> {
    let (x, w) = (cx.ty(0)?, cx.ty(1)?);
    let (_, geometry) = geometry(cx)?;
    let shape = geometry::image(&x.shape[0], w.shape[0].clone(), &geometry.output);
    Ok(TensorType::new(x.dtype, shape))
}

/// Number of groups and geometry.
fn geometry(cx: &Cx) -> Result<(usize, Geometry), TypeError> {
    let input = geometry::spatial(cx)?;
    let (x, w) = (cx.ty(0)?, cx.ty(1)?);
    if w.rank() != x.rank() {
        return Err(cx.error(format!("weights {w} do not have the rank of the input {x}")));
    }
    let groups = groups(cx)?;
    let kernel = geometry::weight_kernel(cx)?;
    let channels = geometry::extents(cx, 0, 1)?[0];
    let weights = geometry::extents(cx, 1, 0)?;
    if weights[1].checked_mul(groups) != Some(channels) {
        return Err(cx.error(format!(
            "the input has {channels} channels, the weights take {} in each of {groups} group(s)",
            weights[1]
        )));
    }
    if !weights[0].is_multiple_of(groups) {
        return Err(cx.attr_error(
            "group",
            format!(
                "{groups} does not divide the {} output channels",
                weights[0]
            ),
        ));
    }
    bias(cx, weights[0])?;
    Ok((groups, geometry::windows(cx, &input, kernel, false)?))
}

/// The attribute `group`, at least 1.
pub fn groups(cx: &Cx) -> Result<usize, TypeError> {
    let group = cx.int("group")?;
    usize::try_from(group)
        .ok()
        .filter(|&g| g > 0)
        .ok_or_else(|| cx.attr_error("group", format!("must be at least 1, is {group}")))
}

/// Checks that the bias, input 2, has one entry an output channel.
pub fn bias(cx: &Cx, channels: usize) -> Result<(), TypeError> {
    match cx.get(2).map(|b| b.ty) {
        Some(b) if b.rank() != 1 || b.shape[0] != channels.into() => Err(cx.error(format!(
            "the bias B must have the shape [{channels}], one entry an output channel, is {b}"
        ))),
        _ => Ok(()),
    }
}
