//! Sub: `c = a - b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Sub.html>

use super::elementwise::{binary, map2};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = binary("Sub", 1, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Sub, b)));
