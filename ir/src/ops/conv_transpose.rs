//! ConvTranspose: `y[n,m,i*stride + k*dilation - pad] += x[n,c,i..] * w[c,m,k..]`, plus the bias; the gradient of Conv with respect
//! to its input. <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>

use crate::class::{Contract, ConvTranspose, Semantics};
use crate::ops::conv;
use crate::ops::geometry::{self, AutoPad};
use crate::schema::{Attr, Cx, Input, OpDef, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "ConvTranspose",
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("B", "T").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::str("auto_pad", "NOTSET"),
        Attr::ints("dilations"),
        Attr::int("group", 1),
        Attr::ints("kernel_shape"),
        Attr::ints("output_padding"),
        Attr::ints("output_shape"),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        let (channels, geometry) = geometry(cx)?;
        let shape = geometry::image(&x.shape[0], channels.into(), &geometry.output);
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        Ok(Semantics::Contract(Contract::ConvTranspose(
            geometry(cx)?.1,
        )))
    },
    ..OpDef::NEW
};

/// Output channels and geometry.
fn geometry(cx: &Cx) -> Result<(usize, ConvTranspose), TypeError> {
    let input = geometry::spatial(cx)?;
    let (x, w) = (cx.ty(0)?, cx.ty(1)?);
    if w.rank() != x.rank() {
        return Err(cx.error(format!("weights {w} do not have the rank of the input {x}")));
    }
    let groups = conv::groups(cx)?;
    let channels = geometry::extents(cx, 0, 1)?[0];
    let weights = geometry::extents(cx, 1, 0)?;
    if weights[0] != channels {
        return Err(cx.error(format!(
            "the input has {channels} channels, the weights W want {}",
            weights[0]
        )));
    }
    if !channels.is_multiple_of(groups) {
        return Err(cx.attr_error(
            "group",
            format!("{groups} does not divide the {channels} input channels"),
        ));
    }
    let made = weights[1]
        .checked_mul(groups)
        .ok_or_else(|| cx.error("the number of output channels overflows"))?;
    conv::bias(cx, made)?;
    Ok((made, sizes(cx, &input, groups)?))
}

fn sizes(cx: &Cx, input: &[usize], groups: usize) -> Result<ConvTranspose, TypeError> {
    let axes = input.len();
    let kernel = geometry::weight_kernel(cx)?;
    let strides = geometry::per_axis(cx, "strides", axes, 1, 1)?;
    let dilations = geometry::per_axis(cx, "dilations", axes, 1, 1)?;
    let extra = geometry::per_axis(cx, "output_padding", axes, 0, 0)?;
    let auto = AutoPad::of(cx)?;
    let (begin, end) = geometry::pads(cx, axes)?;
    let wanted = wanted(cx, axes)?;
    let mut pads_begin = Vec::with_capacity(axes);
    let mut output = Vec::with_capacity(axes);
    for a in 0..axes {
        if input[a] == 0 {
            return Err(cx.error(format!("spatial dimension {a} of the input is zero")));
        }
        if extra[a] >= strides[a].max(dilations[a]) {
            return Err(cx.attr_error(
                "output_padding",
                format!("{extra:?} must stay below stride {strides:?} or dilation {dilations:?}"),
            ));
        }
        let reach = geometry::reach(cx, kernel[a], dilations[a])?;
        let full = (input[a] as i128 - 1) * strides[a] as i128 + extra[a] as i128 + reach;
        let same = matches!(auto, AutoPad::SameUpper | AutoPad::SameLower);
        let target = match &wanted {
            Some(shape) => Some(shape[a] as i128),
            None if same => Some(input[a] as i128 * strides[a] as i128),
            None => None,
        };
        let (out, pad) = match target {
            // Where the kernel does not reach that far, the end is filled with zeros and nothing is cut.
            Some(out) => (out, auto.split(geometry::size(cx, (full - out).max(0))?).0),
            None => (full - begin[a] as i128 - end[a] as i128, begin[a]),
        };
        if out < 1 {
            return Err(cx.error(format!(
                "pads leave an output of size {out} in spatial dimension {a}"
            )));
        }
        output.push(geometry::size(cx, out)?);
        pads_begin.push(
            i64::try_from(pad).map_err(|_| cx.attr_error("pads", "are too large".to_string()))?,
        );
    }
    Ok(ConvTranspose {
        groups,
        kernel,
        strides,
        dilations,
        pads_begin,
        output,
    })
}

/// The attribute `output_shape`: spatial sizes, before which batch and channels may stand.
fn wanted(cx: &Cx, axes: usize) -> Result<Option<Vec<usize>>, TypeError> {
    let Some(shape) = cx.opt_ints("output_shape").filter(|s| !s.is_empty()) else {
        return Ok(None);
    };
    let start = shape.len().saturating_sub(axes);
    if start != 0 && start != 2 || shape.len() < axes || shape[start..].iter().any(|&d| d < 1) {
        return Err(cx.attr_error(
            "output_shape",
            format!("must have {axes} positive spatial sizes, is {shape:?}"),
        ));
    }
    Ok(Some(shape[start..].iter().map(|&d| d as usize).collect()))
}
