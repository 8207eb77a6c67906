//! LeakyRelu: `y = x for x >= 0, else alpha x`. <https://onnx.ai/onnx/operators/onnx__LeakyRelu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "LeakyRelu",
    1,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 0.01)],
    |cx| {
        let alpha = cx.float("alpha")?;
        map(cx, |x| x.lt(&x.lit(0.0)).select(&(x * alpha), x))
    },
);
