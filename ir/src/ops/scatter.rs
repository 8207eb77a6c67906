//! Scatter: the name of ScatterElements before opset 11. <https://onnx.ai/onnx/operators/onnx__Scatter.html>

use crate::class::{Index, Scatter, Semantics};
use crate::ops::scatter_elements;
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Scatter",
    since: 9,
    until: 10,
    inputs: &[
        Input::new("data", "T"),
        Input::new("indices", "I"),
        Input::new("updates", "T"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[Attr::int("axis", 0)],
    infer: scatter_elements::infer,
    semantics: |cx| {
        Ok(Semantics::Index(Index::ScatterElements {
            axis: cx.axis("axis", cx.rank(0)?)?,
            reduction: Scatter::Replace,
        }))
    },
    adapt: Some(|node| {
        node.rename = Some("ScatterElements");
        Ok(())
    }),
    ..OpDef::NEW
};
