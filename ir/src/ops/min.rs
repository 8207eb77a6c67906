//! Min: the least of the operands, element by element, broadcast. <https://onnx.ai/onnx/operators/onnx__Min.html>

use super::elementwise::{fold, variadic};
use crate::class::Semantics;
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = variadic("Min", 1, &[("T", sets::NUMERIC)], |cx| {
    Ok(Semantics::Elementwise(fold(cx, |a, b| a.min(b))?.finish()))
});
