//! RandomNormal: numbers distributed normally, of that `mean` and standard deviation `scale`.
//! <https://onnx.ai/onnx/operators/onnx__RandomNormal.html>

use super::random::{self, SEED, around};
use crate::attrs::AttrKind;
use crate::schema::{Attr, Cx, OpDef, Output, Preset, sets};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "RandomNormal",
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::new("dtype", AttrKind::DType, Preset::DType(DType::F32)),
        Attr::float("mean", 0.0),
        Attr::float("scale", 1.0),
        SEED,
        Attr::required("shape", AttrKind::Ints),
    ],
    infer: |cx| random::infer(dtype(cx), &random::shape(cx)?, cx),
    semantics: |cx| around(cx, dtype(cx), &random::shape(cx)?),
    ..OpDef::NEW
};

fn dtype(cx: &Cx) -> DType {
    cx.dtype_attr("dtype").unwrap_or(DType::F32)
}
