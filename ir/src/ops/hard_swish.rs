//! HardSwish: `y = x * max(0, min(1, x / 6 + 1 / 2))`. <https://onnx.ai/onnx/operators/onnx__HardSwish.html>

use super::elementwise::{map, unary};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("HardSwish", 14, &[("T", sets::FLOAT)], |cx| map(cx, |x| x * &(x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0)));
