//! GroupNormalization: `y = (x - mean) / sqrt(var + epsilon) * scale + bias`, mean and variance over `num_groups` groups of
//! channels. <https://onnx.ai/onnx/operators/onnx__GroupNormalization.html>, Wu and He, arXiv:1803.08494.
//!
//! Scale and bias have one entry a channel; the form of opsets 18 to 20, one entry a group, is taken as well.

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::geometry;
use crate::ops::normalization::{affine, deviation, moments, operand, per_channel, stash_type};
use crate::schema::{Attr, Cx, Input, OpDef, TypeError, sets};

pub static DEF: OpDef = OpDef {
    name: "GroupNormalization",
    since: 18,
    inputs: &[
        Input::new("X", "T"),
        Input::new("scale", "T"),
        Input::new("bias", "T"),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::float("epsilon", 1e-5),
        Attr::required("num_groups", AttrKind::Int),
        Attr::int("stash_type", 1).since(21),
    ],
    infer: |cx| {
        geometry::spatial(cx)?;
        stash_type(cx)?;
        let (channels, groups) = groups(cx)?;
        for i in [1, 2] {
            let v = cx.ty(i)?;
            if v.rank() != 1 || (v.shape[0] != channels.into() && v.shape[0] != groups.into()) {
                return Err(cx.error(format!(
                    "input {i} must have the shape [{channels}], one entry a channel, is {v}"
                )));
            }
        }
        cx.same_as(0)
    },
    semantics,
    ..OpDef::NEW
};

/// Numbers of channels and groups.
fn groups(cx: &Cx) -> Result<(usize, usize), TypeError> {
    let channels = geometry::extents(cx, 0, 1)?[0];
    let groups = cx.int("num_groups")?;
    usize::try_from(groups)
        .ok()
        .filter(|&g| g > 0 && channels.is_multiple_of(g))
        .map(|g| (channels, g))
        .ok_or_else(|| {
            cx.attr_error(
                "num_groups",
                format!("is {groups}, which does not divide the {channels} channels"),
            )
        })
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let shape = cx.shape(0)?;
    let dtype = cx.dtype(0)?;
    let (channels, groups) = groups(cx)?;
    let grouped = [
        shape[0],
        groups,
        shape[1..].iter().product::<usize>() / groups,
    ];
    let mut c = Composer::new(cx);
    let x = operand(&mut c, 0, dtype.compute())?;
    let x = c.reshape(x, &grouped)?;
    let m = moments(&mut c, x, &[2])?;
    let deviation = deviation(&mut c, cx, m.variance)?;
    let normal = c.op(Div, &[m.centred, deviation])?;
    let mut normal = c.reshape(normal, &shape)?;
    let (scale, bias) = (
        channelwise(&mut c, cx, 1, channels)?,
        channelwise(&mut c, cx, 2, channels)?,
    );
    normal = affine(&mut c, normal, scale, Some(bias))?;
    let y = c.cast(normal, dtype)?;
    c.finish(&[y])
}

/// Input `i` with one entry a channel, ready to broadcast over the input.
fn channelwise(c: &mut Composer, cx: &Cx, i: usize, channels: usize) -> Result<Value, TypeError> {
    let mut v = operand(c, i, cx.dtype(0)?.compute())?;
    let given = cx.shape(i)?[0];
    if given != channels {
        let column = c.reshape(v, &[given, 1])?;
        let target = c.ints(&[given as i64, (channels / given) as i64]);
        let spread = c.op(Expand, &[column, target])?;
        v = c.reshape(spread, &[channels])?;
    }
    per_channel(c, v, cx.rank(0)?)
}
