//! BitwiseNot: `y = ~x`. <https://onnx.ai/onnx/operators/onnx__BitwiseNot.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("BitwiseNot", 18, &[("T", sets::INT)], |cx| map(cx, |x| x.unary(UnaryOp::Not)));
