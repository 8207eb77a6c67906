//! Gather: `y[..a, i.., b..] = x[..a, indices[i..], b..]` along `axis`. <https://onnx.ai/onnx/operators/onnx__Gather.html>

use crate::class::{Index, Semantics};
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
        if let (Ok(indices), Some(extent)) = (cx.constant(1), x.shape[axis].fixed()) {
            let extent = extent as i64;
            if let Some(bad) = indices.to_i64().into_iter().find(|&v| v < -extent || v >= extent) {
                return Err(cx.error(format!("index {bad} is out of range for axis {axis} of extent {extent}")));
            }
        }
        let shape = x.shape[..axis].iter().chain(&i.shape).chain(&x.shape[axis + 1..]).cloned();
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| Ok(Semantics::Index(Index::Gather { axis: cx.axis("axis", cx.rank(0)?)? })),
    ..OpDef::NEW
};
