//! Softsign: `y = x / (1 + |x|)`. <https://onnx.ai/onnx/operators/onnx__Softsign.html>

use super::elementwise::{map, unary};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = unary("Softsign", 1, &[("T", sets::FLOAT)], |cx| map(cx, |x| x / &(x.abs() + 1.0)));
