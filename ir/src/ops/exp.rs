//! Exp: `y = e^x`. <https://onnx.ai/onnx/operators/onnx__Exp.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Exp", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Exp)));
