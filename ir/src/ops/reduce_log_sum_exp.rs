//! ReduceLogSumExp: `m + ln sum e^(x - m)` with `m` the greatest element, over `axes`. <https://onnx.ai/onnx/operators/onnx__ReduceLogSumExp.html>

use super::OpKind::{Add, Exp, IsInf, Log, ReduceMax, ReduceSum, Squeeze, Sub, Where};
use super::reduction;
use crate::compose::Composer;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "ReduceLogSumExp",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").optional().since(18)],
    outputs: &[Output::new("reduced", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: reduction::ATTRS,
    infer: |cx| reduction::infer(cx),
    semantics: |cx| {
        let axes: Vec<i64> = reduction::axes(cx)?.unwrap_or_default().iter().map(|&a| a as i64).collect();
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let max = c.reduce(ReduceMax, x, &axes, true)?;
        // An infinite maximum would make NaN of inf - inf.
        let zero = c.scalar(cx.dtype(0)?, 0.0);
        let infinite = c.op(IsInf, &[max])?;
        let shift = c.op(Where, &[infinite, zero, max])?;
        let shifted = c.op(Sub, &[x, shift])?;
        let powers = c.op(Exp, &[shifted])?;
        let sum = c.reduce(ReduceSum, powers, &axes, true)?;
        let log = c.op(Log, &[sum])?;
        let mut y = c.op(Add, &[log, shift])?;
        if !cx.flag("keepdims")? && !axes.is_empty() {
            let axes = c.ints(&axes);
            y = c.op(Squeeze, &[y, axes])?;
        }
        c.finish(&[y])
    },
    ..OpDef::NEW
};
