//! Sum: the sum of the operands, element by element, broadcast. <https://onnx.ai/onnx/operators/onnx__Sum.html>

use super::elementwise::{fold, variadic};
use crate::class::Semantics;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = variadic("Sum", 1, &[("T", sets::FLOAT)], |cx| {
    Ok(Semantics::Elementwise(fold(cx, |a, b| a + b)?.finish()))
});
