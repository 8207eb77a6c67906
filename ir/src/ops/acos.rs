//! Acos: `y = arccos x`. <https://onnx.ai/onnx/operators/onnx__Acos.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Acos", 7, &[("T", sets::FLOAT)], |cx| map(cx, |x| x.unary(UnaryOp::Acos)));
