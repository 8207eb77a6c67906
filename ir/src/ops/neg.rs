//! Neg: `y = -x`. <https://onnx.ai/onnx/operators/onnx__Neg.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Neg", 1, &[("T", sets::SIGNED)], |cx| map(cx, |x| x.unary(UnaryOp::Neg)));
