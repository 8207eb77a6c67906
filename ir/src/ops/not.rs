//! Not: `y = !x`. <https://onnx.ai/onnx/operators/onnx__Not.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Not", 1, &[("T", sets::BOOL)], |cx| map(cx, |x| x.unary(UnaryOp::Not)));
