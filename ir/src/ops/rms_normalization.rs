//! RMSNormalization: `y = x / sqrt(mean(x^2) + epsilon) * scale`, the mean over the axes from `axis` on.
//! <https://onnx.ai/onnx/operators/onnx__RMSNormalization.html>, Zhang and Sennrich, arXiv:1910.07467.

use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::ops::normalization::{affine, check_broadcast, deviation, operand, stash_type};
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "RMSNormalization",
    since: 23,
    inputs: &[Input::new("X", "T"), Input::new("scale", "V")],
    outputs: &[Output::new("Y", "V")],
    types: &[("T", sets::FLOAT), ("V", sets::FLOAT)],
    attrs: &[
        Attr::int("axis", -1),
        Attr::float("epsilon", 1e-5),
        Attr::int("stash_type", 1),
    ],
    infer: |cx| {
        cx.axis("axis", cx.rank(0)?)?;
        stash_type(cx)?;
        check_broadcast(cx, 1)?;
        Ok(vec![cx.ty(0)?.with_dtype(cx.dtype(1)?)])
    },
    semantics: |cx| {
        let (rank, compute) = (cx.rank(0)?, cx.dtype(0)?.compute());
        let axes: Vec<i64> = (cx.axis("axis", rank)? as i64..rank as i64).collect();
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, compute)?;
        let square = c.op(Mul, &[x, x])?;
        let mean = c.reduce(ReduceMean, square, &axes, true)?;
        let deviation = deviation(&mut c, cx, mean)?;
        let normal = c.op(Div, &[x, deviation])?;
        let scale = operand(&mut c, 1, compute)?;
        let y = affine(&mut c, normal, scale, None)?;
        let y = c.cast(y, cx.dtype(1)?)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
