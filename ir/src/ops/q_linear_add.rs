//! QLinearAdd of com.microsoft: `c = quantize(dequantize(a) + dequantize(b))`, operands broadcast.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAdd>

use super::q_linear::{self, BINARY};
use crate::ops::OpKind::Add;
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "QLinearAdd",
    semantics: |cx| q_linear::binary(cx, Add),
    ..BINARY
};
