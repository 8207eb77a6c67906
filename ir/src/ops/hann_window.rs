//! HannWindow: `0.5 - 0.5 cos(2 pi n / N)`. <https://onnx.ai/onnx/operators/onnx__HannWindow.html>

use super::cosine_window::{WINDOW, semantics};
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "HannWindow",
    semantics: |cx| semantics(cx, [0.5, 0.5, 0.0]),
    ..WINDOW
};
