//! BitwiseAnd: `c = a & b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html>

use super::elementwise::{binary, map2};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = binary("BitwiseAnd", 18, &[("T", sets::INT)], |cx| map2(cx, |a, b| a.binary(BinaryOp::And, b)));
