//! Swish: `y = x / (1 + e^(-alpha x))`. <https://onnx.ai/onnx/operators/onnx__Swish.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Swish",
    24,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 1.0)],
    |cx| {
        let alpha = cx.float("alpha")?;
        map(cx, |x| x * &(x * alpha).sigmoid())
    },
);
