//! BlackmanWindow: `0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)`. <https://onnx.ai/onnx/operators/onnx__BlackmanWindow.html>

use super::cosine_window::{WINDOW, semantics};
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "BlackmanWindow",
    semantics: |cx| semantics(cx, [0.42, 0.5, 0.08]),
    ..WINDOW
};
