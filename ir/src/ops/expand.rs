//! Expand: broadcasts `input` with the shape `shape` by numpy's rule (which may go both ways).
//! <https://onnx.ai/onnx/operators/onnx__Expand.html>

use crate::class::{AxisMap, Movement, Semantics};
use crate::schema::{Cx, Input, OpDef, TypeError, sets};
use crate::types::{Dim, TensorType, broadcast};

pub static DEF: OpDef = OpDef {
    name: "Expand",
    since: 8,
    inputs: &[Input::new("input", "T"), Input::new("shape", "i64")],
    outputs: &[crate::schema::Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, target(cx)?)]),
    semantics: |cx| {
        let (from, to) = (&cx.ty(0)?.shape, target(cx)?);
        let lead = to.len() - from.len();
        let axes = (from.iter().enumerate()).map(|(a, d)| match *d == to[lead + a] {
            true => AxisMap::same(lead + a),
            false => AxisMap {
                axis: None,
                step: 1,
                offset: 0,
            },
        });
        Ok(Semantics::Movement(Movement::View {
            axes: axes.collect(),
            fill: None,
        }))
    },
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<Vec<Dim>, TypeError> {
    let x = cx.ty(0)?;
    let wanted = cx.constant(1)?.to_i64();
    let dims = wanted
        .iter()
        .map(|&d| u64::try_from(d).map(Dim::Fixed))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| cx.error(format!("shape {wanted:?} has a negative dimension")))?;
    broadcast(&x.shape, &dims)
        .ok_or_else(|| cx.error(format!("{x} does not broadcast with shape {wanted:?}")))
}
