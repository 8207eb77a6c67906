//! Softplus: `y = ln(e^x + 1)`, computed as `max(x, 0) + ln(1 + e^-|x|)` so that it does not overflow. <https://onnx.ai/onnx/operators/onnx__Softplus.html>

use super::elementwise::{map, unary};
use crate::expr::Ex;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Softplus", 1, &[("T", sets::FLOAT)], |cx| map(cx, softplus));

/// `ln(e^x + 1)`.
pub fn softplus(x: &Ex) -> Ex {
    x.max(&x.lit(0.0)) + (x.abs().neg().exp() + 1.0).log()
}
