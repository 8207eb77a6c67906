//! HammingWindow: `25/46 - 21/46 cos(2 pi n / N)`. <https://onnx.ai/onnx/operators/onnx__HammingWindow.html>

use super::cosine_window::{WINDOW, semantics};
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "HammingWindow",
    semantics: |cx| semantics(cx, [25.0 / 46.0, 21.0 / 46.0, 0.0]),
    ..WINDOW
};
