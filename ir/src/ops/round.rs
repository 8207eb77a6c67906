//! Round: `y = x rounded to the nearest integer, halves to even`. <https://onnx.ai/onnx/operators/onnx__Round.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Round", 11, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Round)));
