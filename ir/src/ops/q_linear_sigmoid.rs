//! QLinearSigmoid of com.microsoft: `y = quantize(sigmoid(dequantize(x)))`.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearSigmoid>

use super::q_linear::{self, UNARY};
use crate::ops::OpKind::Sigmoid;
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "QLinearSigmoid",
    semantics: |cx| q_linear::unary(cx, Sigmoid, cx.attrs.clone()),
    ..UNARY
};
