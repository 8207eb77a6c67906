//! PRelu: `y = x for x >= 0, else slope x`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__PRelu.html>

use super::elementwise::{binary, map2};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = binary("PRelu", 1, &[("T", sets::NUMERIC)], |cx| map2(cx, |a, b| a.lt(&a.lit(0.0)).select(&(a * b), a)));
