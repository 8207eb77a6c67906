//! Reciprocal: `y = 1 / x`. <https://onnx.ai/onnx/operators/onnx__Reciprocal.html>

use super::elementwise::{map, unary};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Reciprocal", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.lit(1.0) / x));
