//! Ceil: `y = ceil x`. <https://onnx.ai/onnx/operators/onnx__Ceil.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Ceil", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Ceil)));
