//! Equal: `c = (a == b)`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Equal.html>

use super::elementwise::{map2, predicate};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("Equal", 1, &[("T", sets::ALL)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Eq, b)));
