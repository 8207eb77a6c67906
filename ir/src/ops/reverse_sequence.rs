//! ReverseSequence: reverses the first `sequence_lens[b]` steps of every batch entry `b`; the rest stays.
//! <https://onnx.ai/onnx/operators/onnx__ReverseSequence.html>

use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "ReverseSequence",
    since: 10,
    inputs: &[Input::new("input", "T"), Input::new("sequence_lens", "i64")],
    outputs: &[Output::new("Y", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::int("batch_axis", 1), Attr::int("time_axis", 0)],
    infer,
    semantics: |cx| {
        let (batch_axis, time_axis) = axes(cx)?;
        Ok(Semantics::Index(Index::ReverseSequence {
            batch_axis,
            time_axis,
        }))
    },
    ..OpDef::NEW
};

fn axes(cx: &Cx) -> Result<(usize, usize), TypeError> {
    match (cx.int("batch_axis")?, cx.int("time_axis")?) {
        (0, 1) => Ok((0, 1)),
        (1, 0) => Ok((1, 0)),
        (batch, time) => Err(cx.error(format!(
            "batch_axis and time_axis must be 0 and 1 or 1 and 0, are {batch} and {time}"
        ))),
    }
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (x, lengths) = (cx.ty(0)?, cx.ty(1)?);
    let (batch, time) = axes(cx)?;
    if x.rank() < 2 || lengths.shape != x.shape[batch..=batch] {
        return Err(cx.error(format!(
            "sequence_lens {lengths} do not fit axis {batch} of input {x}"
        )));
    }
    if let (Ok(lengths), Some(steps)) = (cx.constant(1), x.shape[time].fixed())
        && let Some(bad) = (lengths.to_i64().into_iter()).find(|&n| n < 0 || n as u64 > steps)
    {
        return Err(cx.error(format!(
            "sequence length {bad} is out of range for {steps} steps"
        )));
    }
    Ok(vec![TensorType::new(x.dtype, x.shape.iter().cloned())])
}
