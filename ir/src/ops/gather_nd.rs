//! GatherND: `y[b.., i.., s..] = x[b.., indices[b.., i.., :].., s..]`, `b` the `batch_dims` leading axes of both.
//! <https://onnx.ai/onnx/operators/onnx__GatherND.html>

use crate::class::{Index, Semantics};
use crate::ops::indexing;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "GatherND",
    since: 11,
    inputs: &[Input::new("data", "T"), Input::new("indices", "i64")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::int("batch_dims", 0).since(12)],
    infer: |cx| {
        let (x, i) = (cx.ty(0)?, cx.ty(1)?);
        let batch = batch_dims(cx)?;
        let width = indexing::check_vectors(cx, batch)?;
        if x.shape[..batch] != i.shape[..batch] {
            return Err(cx.error(format!(
                "the {batch} batch dimensions of data {x} and indices {i} differ"
            )));
        }
        let vectors = &i.shape[..i.rank() - 1];
        let shape = vectors.iter().chain(&x.shape[batch + width..]).cloned();
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        let batch_dims = batch_dims(cx)?;
        Ok(Semantics::Index(Index::GatherNd { batch_dims }))
    },
    ..OpDef::NEW
};

fn batch_dims(cx: &Cx) -> Result<usize, TypeError> {
    usize::try_from(cx.int("batch_dims")?)
        .map_err(|_| cx.attr_error("batch_dims", "must not be negative"))
}
