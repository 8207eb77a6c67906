//! Xor: `c = a != b for booleans`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Xor.html>

use super::elementwise::{map2, predicate};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("Xor", 1, &[("T", sets::BOOL)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Xor, b)));
