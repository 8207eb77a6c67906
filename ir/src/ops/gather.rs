//! Gather: `y[..a, i.., b..] = x[..a, indices[i..], b..]` along `axis`. <https://onnx.ai/onnx/operators/onnx__Gather.html>

use crate::class::{Index, Semantics};
use crate::ops::indexing;
use crate::schema::{Attr, Input, OpDef, Output, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "Gather",
    inputs: &[Input::new("data", "T"), Input::new("indices", "I")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[Attr::int("axis", 0)],
    infer: |cx| {
        let (x, i) = (cx.ty(0)?, cx.ty(1)?);
        let axis = cx.axis("axis", x.rank())?;
        indexing::check_range(cx, 1, axis, &x.shape[axis])?;
        let (before, after) = (&x.shape[..axis], &x.shape[axis + 1..]);
        let shape = before.iter().chain(&i.shape).chain(after).cloned();
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        let axis = cx.axis("axis", cx.rank(0)?)?;
        Ok(Semantics::Index(Index::Gather { axis }))
    },
    ..OpDef::NEW
};
