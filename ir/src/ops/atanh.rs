//! Atanh: `y = artanh x`. <https://onnx.ai/onnx/operators/onnx__Atanh.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Atanh", 9, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Atanh)));
