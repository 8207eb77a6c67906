//! HardSigmoid: `y = max(0, min(1, alpha x + beta))`. <https://onnx.ai/onnx/operators/onnx__HardSigmoid.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "HardSigmoid",
    1,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 0.2), Attr::float("beta", 0.5)],
    |cx| {
        let alpha = cx.float("alpha")?;
        let beta = cx.float("beta")?;
        map(cx, |x| (x * alpha + beta).clamp(0.0, 1.0))
    },
);
