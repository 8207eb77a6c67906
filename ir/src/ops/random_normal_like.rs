//! RandomNormalLike: numbers distributed normally, of that `mean` and standard deviation `scale`, in the input's shape.
//! <https://onnx.ai/onnx/operators/onnx__RandomNormalLike.html>

use super::random::{self, SEED, around, like};
use crate::attrs::AttrKind;
use crate::schema::{Attr, Input, OpDef, Output, Preset, sets};

pub static DEF: OpDef = OpDef {
    name: "RandomNormalLike",
    inputs: &[Input::new("input", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::ALL), ("T2", sets::FLOAT)],
    attrs: &[
        Attr::new("dtype", AttrKind::DType, Preset::Absent),
        Attr::float("mean", 0.0),
        Attr::float("scale", 1.0),
        SEED,
    ],
    infer: |cx| random::infer(like(cx)?, &cx.shape(0)?, cx),
    semantics: |cx| around(cx, like(cx)?, &cx.shape(0)?),
    ..OpDef::NEW
};
