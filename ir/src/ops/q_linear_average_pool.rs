//! QLinearAveragePool of com.microsoft: `y = quantize(average_pool(dequantize(x)))`, channels first.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAveragePool>

use super::q_linear::{self, UNARY};
use super::q_linear_global_average_pool::channels_first;
use crate::attrs::AttrKind;
use crate::ops::OpKind::AveragePool;
use crate::ops::pooling;
use crate::schema::{Attr, OpDef};

pub static DEF: OpDef = OpDef {
    name: "QLinearAveragePool",
    attrs: &[
        Attr::str("auto_pad", "NOTSET"),
        Attr::int("ceil_mode", 0),
        Attr::int("channels_last", 0),
        Attr::int("count_include_pad", 0),
        Attr::required("kernel_shape", AttrKind::Ints),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        channels_first(cx)?;
        q_linear::check_scalars(cx)?;
        Ok(vec![pooling::infer(cx)?])
    },
    semantics: |cx| {
        let mut attrs = cx.attrs.clone();
        attrs.remove("channels_last");
        q_linear::unary(cx, AveragePool, attrs)
    },
    ..UNARY
};
