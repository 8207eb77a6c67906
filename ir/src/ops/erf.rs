//! Erf: `y = erf x`. <https://onnx.ai/onnx/operators/onnx__Erf.html>

use super::elementwise::{map, unary};
use crate::expr::UnaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Erf", 9, &[("T", sets::NUMERIC)], |cx| map(cx, |x| x.unary(UnaryOp::Erf)));
