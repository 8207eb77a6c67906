//! Sign: `y = -1, 0 or 1, the sign of x`. <https://onnx.ai/onnx/operators/onnx__Sign.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Sign", 9, &[("T", sets::NUMERIC)], |cx| map(cx, |x| x.unary(UnaryOp::Sign)));
