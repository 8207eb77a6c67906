//! Div: `c = a / b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Div.html>

use super::elementwise::{binary, map2};
use crate::expr::BinaryOp;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = binary("Div", 1, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| a.binary(BinaryOp::Div, b)));
