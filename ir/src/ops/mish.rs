//! Mish: `y = x * tanh(ln(e^x + 1))`. <https://onnx.ai/onnx/operators/onnx__Mish.html>

use super::elementwise::{map, unary};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Mish", 18, &[("T", sets::FLOAT)], |cx| map(cx, |x| x * &super::softplus::softplus(x).tanh()));
