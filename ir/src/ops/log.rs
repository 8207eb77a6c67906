//! Log: `y = ln x`. <https://onnx.ai/onnx/operators/onnx__Log.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Log", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Log)));
