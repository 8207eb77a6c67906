//! QLinearLeakyRelu of com.microsoft: `y = quantize(leaky_relu(dequantize(x)))`.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearLeakyRelu>

use super::q_linear::{self, UNARY};
use crate::ops::OpKind::LeakyRelu;
use crate::schema::{Attr, OpDef};

pub static DEF: OpDef = OpDef {
    name: "QLinearLeakyRelu",
    attrs: &[Attr::float("alpha", 0.01)],
    semantics: |cx| q_linear::unary(cx, LeakyRelu, cx.attrs.clone()),
    ..UNARY
};
