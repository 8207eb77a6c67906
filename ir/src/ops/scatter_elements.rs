//! ScatterElements: a copy of `data` with `y[..indices[o]..] = updates[o]` along `axis`, or combined by `reduction`.
//! <https://onnx.ai/onnx/operators/onnx__ScatterElements.html>

use crate::class::{Index, Semantics};
use crate::ops::indexing;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "ScatterElements",
    since: 11,
    inputs: &[
        Input::new("data", "T"),
        Input::new("indices", "I"),
        Input::new("updates", "T"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[Attr::int("axis", 0), indexing::REDUCTION],
    infer: |cx| {
        indexing::reduction(cx)?;
        infer(cx)
    },
    semantics: |cx| {
        Ok(Semantics::Index(Index::ScatterElements {
            axis: cx.axis("axis", cx.rank(0)?)?,
            reduction: indexing::reduction(cx)?,
        }))
    },
    ..OpDef::NEW
};

/// Also of the deprecated Scatter, which has no `reduction`.
pub fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (x, i, updates) = (cx.ty(0)?, cx.ty(1)?, cx.ty(2)?);
    indexing::check_elements(cx, cx.axis("axis", x.rank())?)?;
    if i.shape != updates.shape {
        return Err(cx.error(format!("indices {i} and updates {updates} differ in shape")));
    }
    Ok(vec![TensorType::new(x.dtype, x.shape.iter().cloned())])
}
