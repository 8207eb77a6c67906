//! Shrink: `y = x + bias for x < -lambd, x - bias for x > lambd, else 0`. <https://onnx.ai/onnx/operators/onnx__Shrink.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Shrink",
    9,
    &[("T", sets::NUMERIC)],
    &[Attr::float("bias", 0.0), Attr::float("lambd", 0.5)],
    |cx| {
        let bias = cx.float("bias")?;
        let lambd = cx.float("lambd")?;
        map(cx, |x| x.lt(&x.lit(-lambd)).select(&(x + bias), &x.lit(lambd).lt(x).select(&(x - bias), &x.lit(0.0))))
    },
);
