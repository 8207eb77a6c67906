//! SpaceToDepth: blocks of pixels become blocks of channels, the inverse of DepthToSpace.
//! <https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::ops::depth_to_space::{block, is_dcr};
use crate::ops::geometry;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "SpaceToDepth",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::required("blocksize", AttrKind::Int),
        Attr::str("mode", "DCR").since(28),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        let [channels, height, width] = output(cx)?;
        let shape = geometry::image(&x.shape[0], channels.into(), &[height, width]);
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        let (shape, b) = (cx.shape(0)?, block(cx)?);
        let [channels, height, width] = output(cx)?;
        let order = if is_dcr(cx)? {
            [0, 3, 5, 1, 2, 4]
        } else {
            [0, 1, 3, 5, 2, 4]
        };
        let mut c = Composer::new(cx);
        let x = c.reshape(c.arg(0), &[shape[0], shape[1], height, b, width, b])?;
        let x = c.transpose(x, &order)?;
        let y = c.reshape(x, &[shape[0], channels, height, width])?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// Channels, height and width of the result.
fn output(cx: &Cx) -> Result<[usize; 3], TypeError> {
    let b = block(cx)?;
    is_dcr(cx)?;
    let x = geometry::extents(cx, 0, 1)?;
    if !x[1].is_multiple_of(b) || !x[2].is_multiple_of(b) {
        return Err(cx.error(format!(
            "height {} and width {} do not divide into blocks of {b} x {b}",
            x[1], x[2]
        )));
    }
    let channels = x[0]
        .checked_mul(b * b)
        .ok_or_else(|| cx.error("the number of channels overflows"))?;
    Ok([channels, x[1] / b, x[2] / b])
}
