//! Mean: the mean of the operands, element by element, broadcast. <https://onnx.ai/onnx/operators/onnx__Mean.html>

use super::elementwise::{fold, variadic};
use crate::class::Semantics;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = variadic("Mean", 1, &[("T", sets::FLOAT)], |cx| {
    let sum = fold(cx, |a, b| a + b)?;
    Ok(Semantics::Elementwise((sum / cx.inputs.len() as f64).finish()))
});
