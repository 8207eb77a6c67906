//! LessOrEqual: `c = (a <= b)`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__LessOrEqual.html>

use super::elementwise::{map2, predicate};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("LessOrEqual", 12, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Le, b)));
