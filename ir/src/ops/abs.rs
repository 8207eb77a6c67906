//! Abs: `y = |x|`. <https://onnx.ai/onnx/operators/onnx__Abs.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Abs", 1, &[("T", sets::NUMERIC)], |cx| map(cx, |x| x.unary(UnaryOp::Abs)));
