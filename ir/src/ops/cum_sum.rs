//! CumSum: `y[i] = x[0] + .. + x[i]` along `axis`; `exclusive` leaves `x[i]` out, `reverse` begins at the end.
//! <https://onnx.ai/onnx/operators/onnx__CumSum.html>

use super::cumulative::{CUMULATIVE, semantics};
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "CumSum",
    since: 11,
    semantics: |cx| semantics(cx, false),
    ..CUMULATIVE
};
