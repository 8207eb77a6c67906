//! Or: `c = a || b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Or.html>

use super::elementwise::{map2, predicate};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("Or", 1, &[("T", sets::BOOL)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Or, b)));
