//! Asinh: `y = arsinh x`. <https://onnx.ai/onnx/operators/onnx__Asinh.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Asinh", 9, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Asinh)));
