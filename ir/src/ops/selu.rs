//! Selu: `y = gamma x for x > 0, else gamma alpha (e^x - 1)`. <https://onnx.ai/onnx/operators/onnx__Selu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Selu",
    1,
    &[("T", sets::FLOAT)],
    &[Attr::float("alpha", 1.67326319217681884765625), Attr::float("gamma", 1.05070102214813232421875)],
    |cx| {
        let alpha = cx.float("alpha")?;
        let gamma = cx.float("gamma")?;
        map(cx, |x| x.le(&x.lit(0.0)).select(&((x.exp() - 1.0) * (alpha * gamma)), &(x * gamma)))
    },
);
