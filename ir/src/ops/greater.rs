//! Greater: `c = (a > b)`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__Greater.html>

use super::elementwise::{map2, predicate};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("Greater", 1, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| b.lt(a)));
