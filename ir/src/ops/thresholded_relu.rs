//! ThresholdedRelu: `y = x for x > alpha, else 0`. <https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "ThresholdedRelu",
    10,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 1.0)],
    |cx| {
        let alpha = cx.float("alpha")?;
        map(cx, |x| x.lit(alpha).lt(x).select(x, &x.lit(0.0)))
    },
);
