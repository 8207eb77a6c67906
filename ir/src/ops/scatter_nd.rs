//! ScatterND: a copy of `data` with `y[indices[i.., :].., s..] = updates[i.., s..]`, or combined by `reduction`.
//! <https://onnx.ai/onnx/operators/onnx__ScatterND.html>

use crate::class::{Index, Semantics};
use crate::ops::indexing;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "ScatterND",
    since: 11,
    inputs: &[
        Input::new("data", "T"),
        Input::new("indices", "i64"),
        Input::new("updates", "T"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[indexing::REDUCTION],
    infer,
    semantics: |cx| {
        let reduction = indexing::reduction(cx)?;
        Ok(Semantics::Index(Index::ScatterNd { reduction }))
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (x, i, updates) = (cx.ty(0)?, cx.ty(1)?, cx.ty(2)?);
    indexing::reduction(cx)?;
    let width = indexing::check_vectors(cx, 0)?;
    let vectors = &i.shape[..i.rank() - 1];
    if !vectors.iter().chain(&x.shape[width..]).eq(&updates.shape) {
        return Err(cx.error(format!(
            "updates {updates} do not fit indices {i} into data {x}"
        )));
    }
    Ok(vec![TensorType::new(x.dtype, x.shape.iter().cloned())])
}
