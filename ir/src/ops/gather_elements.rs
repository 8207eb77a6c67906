//! GatherElements: `y[..o..] = x[..indices[o]..]` along `axis`, in the shape of the indices.
//! <https://onnx.ai/onnx/operators/onnx__GatherElements.html>

use crate::class::{Index, Semantics};
use crate::ops::indexing;
use crate::schema::{Attr, Input, OpDef, Output, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "GatherElements",
    since: 11,
    inputs: &[Input::new("data", "T"), Input::new("indices", "I")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[Attr::int("axis", 0)],
    infer: |cx| {
        indexing::check_elements(cx, cx.axis("axis", cx.rank(0)?)?)?;
        let shape = cx.ty(1)?.shape.iter().cloned();
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics: |cx| {
        let axis = cx.axis("axis", cx.rank(0)?)?;
        Ok(Semantics::Index(Index::GatherElements { axis }))
    },
    ..OpDef::NEW
};
