//! InstanceNormalization: `y = (x - mean) / sqrt(var + epsilon) * scale + B`, mean and variance over the spatial axes of every
//! instance and channel. <https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html>, Ulyanov et al., arXiv:1607.08022.

use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::ops::normalization::{affine, check_channels, deviation, moments, operand, per_channel};
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "InstanceNormalization",
    since: 6,
    inputs: &[
        Input::new("input", "T"),
        Input::new("scale", "T"),
        Input::new("B", "T"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::float("epsilon", 1e-5)],
    infer: |cx| {
        check_channels(cx, &[1, 2])?;
        if cx.rank(0)? < 3 {
            return Err(cx.error(format!("the input {} has no spatial dimension", cx.ty(0)?)));
        }
        cx.same_as(0)
    },
    semantics: |cx| {
        let (rank, dtype) = (cx.rank(0)?, cx.dtype(0)?);
        let axes: Vec<i64> = (2..rank as i64).collect();
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, dtype.compute())?;
        let m = moments(&mut c, x, &axes)?;
        let deviation = deviation(&mut c, cx, m.variance)?;
        let normal = c.op(Div, &[m.centred, deviation])?;
        let scale = operand(&mut c, 1, dtype.compute())?;
        let scale = per_channel(&mut c, scale, rank)?;
        let bias = operand(&mut c, 2, dtype.compute())?;
        let bias = per_channel(&mut c, bias, rank)?;
        let y = affine(&mut c, normal, scale, Some(bias))?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
