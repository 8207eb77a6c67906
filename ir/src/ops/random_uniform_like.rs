//! RandomUniformLike: numbers distributed uniformly between `low` and `high`, in the input's shape.
//! <https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html>

use super::random::{self, SEED, between, like};
use crate::attrs::AttrKind;
use crate::schema::{Attr, Input, OpDef, Output, Preset, sets};

pub static DEF: OpDef = OpDef {
    name: "RandomUniformLike",
    inputs: &[Input::new("input", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::ALL), ("T2", sets::FLOAT)],
    attrs: &[
        Attr::new("dtype", AttrKind::DType, Preset::Absent),
        Attr::float("high", 1.0),
        Attr::float("low", 0.0),
        SEED,
    ],
    infer: |cx| random::infer(like(cx)?, &cx.shape(0)?, cx),
    semantics: |cx| between(cx, like(cx)?, &cx.shape(0)?),
    ..OpDef::NEW
};
