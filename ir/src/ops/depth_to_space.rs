//! DepthToSpace: blocks of channels become blocks of pixels; DCR takes the block's position from the slow part of the channel
//! number, CRD from the fast part. <https://onnx.ai/onnx/operators/onnx__DepthToSpace.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::ops::geometry;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "DepthToSpace",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::required("blocksize", AttrKind::Int),
        Attr::str("mode", "DCR").since(11),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        let [channels, height, width] = output(cx)?;
        let shape = geometry::image(&x.shape[0], channels.into(), &[height, width]);
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        let shape = cx.shape(0)?;
        let ([n, h, w], b) = ([shape[0], shape[2], shape[3]], block(cx)?);
        let [channels, height, width] = output(cx)?;
        let (split, order) = if is_dcr(cx)? {
            ([n, b, b, channels, h, w], [0, 3, 4, 1, 5, 2])
        } else {
            ([n, channels, b, b, h, w], [0, 1, 4, 2, 5, 3])
        };
        let mut c = Composer::new(cx);
        let x = c.reshape(c.arg(0), &split)?;
        let x = c.transpose(x, &order)?;
        let y = c.reshape(x, &[n, channels, height, width])?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// The block's edge, at least 1, of a `[N,C,H,W]` input.
pub fn block(cx: &Cx) -> Result<usize, TypeError> {
    if cx.rank(0)? != 4 {
        return Err(cx.error(format!(
            "the input must have the shape [N,C,H,W], is {}",
            cx.ty(0)?
        )));
    }
    let block = cx.int("blocksize")?;
    usize::try_from(block)
        .ok()
        .filter(|b| (1..1 << 31).contains(b))
        .ok_or_else(|| cx.attr_error("blocksize", format!("must be positive, is {block}")))
}

/// Whether the attribute `mode` is DCR.
pub fn is_dcr(cx: &Cx) -> Result<bool, TypeError> {
    match cx.str("mode")? {
        "DCR" => Ok(true),
        "CRD" => Ok(false),
        other => Err(cx.attr_error("mode", format!("must be DCR or CRD, is '{other}'"))),
    }
}

/// Channels, height and width of the result.
fn output(cx: &Cx) -> Result<[usize; 3], TypeError> {
    let b = block(cx)?;
    is_dcr(cx)?;
    let x = geometry::extents(cx, 0, 1)?;
    if !x[0].is_multiple_of(b * b) {
        return Err(cx.error(format!(
            "{} channels do not divide into blocks of {b} x {b}",
            x[0]
        )));
    }
    match (x[1].checked_mul(b), x[2].checked_mul(b)) {
        (Some(height), Some(width)) => Ok([x[0] / (b * b), height, width]),
        _ => Err(cx.error("the size of the output overflows")),
    }
}
