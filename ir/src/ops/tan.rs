//! Tan: `y = tan x`. <https://onnx.ai/onnx/operators/onnx__Tan.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Tan", 7, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Tan)));
