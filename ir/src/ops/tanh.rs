//! Tanh: `y = tanh x`. <https://onnx.ai/onnx/operators/onnx__Tanh.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Tanh", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Tanh)));
