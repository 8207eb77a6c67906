//! QLinearMul of com.microsoft: `c = quantize(dequantize(a) * dequantize(b))`, operands broadcast.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearMul>

use super::q_linear::{self, BINARY};
use crate::ops::OpKind::Mul;
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "QLinearMul",
    semantics: |cx| q_linear::binary(cx, Mul),
    ..BINARY
};
