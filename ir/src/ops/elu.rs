//! Elu: `y = x for x >= 0, else alpha (e^x - 1)`. <https://onnx.ai/onnx/operators/onnx__Elu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Elu",
    1,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 1.0)],
    |cx| {
        let alpha = cx.float("alpha")?;
        map(cx, |x| x.lt(&x.lit(0.0)).select(&((x.exp() - 1.0) * alpha), x))
    },
);
