//! RandomUniform: numbers distributed uniformly between `low` and `high`.
//! <https://onnx.ai/onnx/operators/onnx__RandomUniform.html>

use super::random::{self, SEED, between};
use crate::attrs::AttrKind;
use crate::schema::{Attr, Cx, OpDef, Output, Preset, sets};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "RandomUniform",
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::new("dtype", AttrKind::DType, Preset::DType(DType::F32)),
        Attr::float("high", 1.0),
        Attr::float("low", 0.0),
        SEED,
        Attr::required("shape", AttrKind::Ints),
    ],
    infer: |cx| random::infer(dtype(cx), &random::shape(cx)?, cx),
    semantics: |cx| between(cx, dtype(cx), &random::shape(cx)?),
    ..OpDef::NEW
};

fn dtype(cx: &Cx) -> DType {
    cx.dtype_attr("dtype").unwrap_or(DType::F32)
}
