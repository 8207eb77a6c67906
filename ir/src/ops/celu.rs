//! Celu: `y = max(0, x) + min(0, alpha (e^(x/alpha) - 1))`. <https://onnx.ai/onnx/operators/onnx__Celu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Celu",
    12,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 1.0)],
    |cx| {
        let alpha = cx.float("alpha")?;
        map(cx, |x| x.max(&x.lit(0.0)) + (((x / alpha).exp() - 1.0) * alpha).min(&x.lit(0.0)))
    },
);
