//! Sigmoid: `y = 1 / (1 + e^-x)`. <https://onnx.ai/onnx/operators/onnx__Sigmoid.html>

use super::elementwise::{map, unary};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Sigmoid", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.sigmoid()));
