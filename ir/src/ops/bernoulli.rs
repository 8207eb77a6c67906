//! Bernoulli: 1 with the probability that the input gives for each element, else 0.
//! <https://onnx.ai/onnx/operators/onnx__Bernoulli.html>

use super::elementwise::arg;
use super::random::{SEED, seed, uniform};
use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Bernoulli",
    since: 15,
    inputs: &[Input::new("input", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::FLOAT), ("T2", sets::ALL)],
    attrs: &[Attr::new("dtype", AttrKind::DType, Preset::Absent), SEED],
    infer: |cx| Ok(vec![TensorType::new(dtype(cx)?, cx.shape(0)?)]),
    semantics: |cx| {
        let probability = arg(cx, 0)?.cast(DType::F32);
        let hit = uniform(&cx.shape(0)?, seed(cx), 0).lt(&probability);
        Ok(Semantics::Elementwise(hit.cast(dtype(cx)?).finish()))
    },
    ..OpDef::NEW
};

fn dtype(cx: &Cx) -> Result<DType, TypeError> {
    cx.dtype_attr("dtype").map_or_else(|| cx.dtype(0), Ok)
}
