//! QLinearGlobalAveragePool of com.microsoft: `y = quantize(mean of dequantize(x))` over all spatial axes, channels first.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearGlobalAveragePool>

use super::q_linear::{self, UNARY};
use crate::attrs::Attrs;
use crate::ops::OpKind::GlobalAveragePool;
use crate::ops::pooling;
use crate::schema::{Attr, Cx, OpDef, TypeError};

pub static DEF: OpDef = OpDef {
    name: "QLinearGlobalAveragePool",
    attrs: &[Attr::int("channels_last", 0)],
    infer: |cx| {
        channels_first(cx)?;
        q_linear::check_scalars(cx)?;
        pooling::infer_global(cx)
    },
    semantics: |cx| q_linear::unary(cx, GlobalAveragePool, Attrs::new()),
    ..UNARY
};

/// Refuses pictures with their channels last.
pub fn channels_first(cx: &Cx) -> Result<(), TypeError> {
    if cx.flag("channels_last")? {
        return Err(cx.unsupported("channels_last"));
    }
    Ok(())
}
