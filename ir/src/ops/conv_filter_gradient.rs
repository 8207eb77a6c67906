//! ConvFilterGradient: the gradient of Conv with respect to its weights,
//! `dw[m,c,k..] = sum_{n,o..} dy[n,m,o..] x[n,c,o*stride + k*dilation - pad]`, in groups of channels. `kernel_shape` and explicit
//! `pads` are required.

use crate::attrs::AttrKind;
use crate::class::{Contract, Conv, Semantics};
use crate::ops::{conv, geometry};
use crate::schema::{Attr, CNNC, Cx, Input, OpDef, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "ConvFilterGradient",
    domain: CNNC,
    inputs: &[Input::new("X", "T"), Input::new("DY", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::str("auto_pad", "NOTSET"),
        Attr::ints("dilations"),
        Attr::int("group", 1),
        Attr::required("kernel_shape", AttrKind::Ints),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        let (shape, _) = filters(cx)?;
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics: |cx| Ok(Semantics::Contract(Contract::ConvFilter(filters(cx)?.1))),
    ..OpDef::NEW
};

/// Shape of the weights, and the convolution they belong to.
fn filters(cx: &Cx) -> Result<(Vec<usize>, Conv), TypeError> {
    let input = geometry::spatial(cx)?;
    let (x, dy) = (geometry::extents(cx, 0, 0)?, geometry::extents(cx, 1, 0)?);
    let groups = conv::groups(cx)?;
    let kernel = geometry::per_axis(cx, "kernel_shape", input.len(), 1, 0)?;
    let g = geometry::windows(cx, &input, kernel, false)?;
    if dy.len() != x.len() || dy[0] != x[0] || dy[2..] != g.output {
        return Err(cx.error(format!(
            "the gradient of the output must have {} images of {:?}, has the shape {dy:?}",
            x[0], g.output
        )));
    }
    for (what, channels) in [("input", x[1]), ("output", dy[1])] {
        if !channels.is_multiple_of(groups) {
            return Err(cx.attr_error(
                "group",
                format!("{groups} does not divide the {channels} {what} channels"),
            ));
        }
    }
    let mut shape = vec![dy[1], x[1] / groups];
    shape.extend(&g.kernel);
    let conv = Conv {
        groups,
        kernel: g.kernel,
        strides: g.strides,
        dilations: g.dilations,
        pads_begin: g.pads_begin,
        pads_end: g.pads_end,
    };
    Ok((shape, conv))
}
