//! Max: the greatest of the operands, element by element, broadcast. <https://onnx.ai/onnx/operators/onnx__Max.html>

use super::elementwise::{fold, variadic};
use crate::class::Semantics;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = variadic("Max", 1, &[("T", sets::NUMERIC)], |cx| {
    Ok(Semantics::Elementwise(fold(cx, |a, b| a.max(b))?.finish()))
});
