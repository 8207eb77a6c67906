//! GreaterOrEqual: `c = (a >= b)`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__GreaterOrEqual.html>

use super::elementwise::{map2, predicate};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = predicate("GreaterOrEqual", 12, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| b.le(a)));
