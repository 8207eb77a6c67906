//! Sinh: `y = sinh x`. <https://onnx.ai/onnx/operators/onnx__Sinh.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Sinh", 9, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Sinh)));
