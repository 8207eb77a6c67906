//! Less: `c = (a < b)`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Less.html>

use super::elementwise::{map2, predicate};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("Less", 1, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Lt, b)));
