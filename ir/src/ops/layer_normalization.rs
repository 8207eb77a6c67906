//! LayerNormalization: `y = (x - mean) / sqrt(var + epsilon) * scale + bias`, mean and variance over the axes from `axis` on.
//! <https://onnx.ai/onnx/operators/onnx__LayerNormalization.html>, Ba et al., arXiv:1607.06450.
//!
//! Statistics are computed in f32 (f64 for f64 inputs) and handed out in `stash_type`.

use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::ops::normalization::{affine, check_broadcast, deviation, moments, operand, stash_type};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "LayerNormalization",
    since: 17,
    inputs: &[
        Input::new("X", "T"),
        Input::new("Scale", "T"),
        Input::new("B", "T").optional(),
    ],
    outputs: &[
        Output::new("Y", "T"),
        Output::new("Mean", "U").optional(),
        Output::new("InvStdDev", "U").optional(),
    ],
    types: &[("T", sets::FLOAT), ("U", sets::FLOAT)],
    attrs: &[
        Attr::int("axis", -1),
        Attr::float("epsilon", 1e-5),
        Attr::int("stash_type", 1),
    ],
    infer,
    semantics: |cx| {
        let (rank, dtype, stash) = (cx.rank(0)?, cx.dtype(0)?, stash_type(cx)?);
        let axes: Vec<i64> = (cx.axis("axis", rank)? as i64..rank as i64).collect();
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, dtype.compute())?;
        let m = moments(&mut c, x, &axes)?;
        let deviation = deviation(&mut c, cx, m.variance)?;
        let inverse = c.op(Reciprocal, &[deviation])?;
        let normal = c.op(Mul, &[m.centred, inverse])?;
        let scale = operand(&mut c, 1, dtype.compute())?;
        let bias = match cx.has(2) {
            true => Some(operand(&mut c, 2, dtype.compute())?),
            false => None,
        };
        let y = affine(&mut c, normal, scale, bias)?;
        let mut outputs = vec![c.cast(y, dtype)?];
        for statistic in [m.mean, inverse]
            .into_iter()
            .take(cx.outputs.saturating_sub(1))
        {
            outputs.push(c.cast(statistic, stash)?);
        }
        c.finish(&outputs)
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axis = cx.axis("axis", x.rank())?;
    check_broadcast(cx, 1)?;
    check_broadcast(cx, 2)?;
    let statistics = x
        .shape
        .iter()
        .enumerate()
        .map(|(i, d)| if i < axis { d.clone() } else { Dim::Fixed(1) });
    let statistics = TensorType::new(stash_type(cx)?, statistics);
    Ok(vec![x.clone(), statistics.clone(), statistics])
}
