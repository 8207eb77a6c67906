//! CumProd: `y[i] = x[0] * .. * x[i]` along `axis`; `exclusive` leaves `x[i]` out, `reverse` begins at the end.
//! <https://onnx.ai/onnx/operators/onnx__CumProd.html>

use super::cumulative::{CUMULATIVE, semantics};
use crate::schema::OpDef;

pub static DEF: OpDef = OpDef {
    name: "CumProd",
    since: 26,
    semantics: |cx| semantics(cx, true),
    ..CUMULATIVE
};
