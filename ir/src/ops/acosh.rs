//! Acosh: `y = arcosh x`. <https://onnx.ai/onnx/operators/onnx__Acosh.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Acosh", 9, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Acosh)));
