//! Dropout: in inference the identity, and a mask of ones. <https://onnx.ai/onnx/operators/onnx__Dropout.html>
//!
//! Deliberately absent: dropping at random (training mode with a ratio above 0); training graphs draw their masks themselves.

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::ops::OpKind::{Expand, Identity};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "Dropout",
    inputs: &[
        Input::new("data", "T"),
        Input::new("ratio", "T1").optional().since(12),
        Input::new("training_mode", "bool").optional().since(12),
    ],
    outputs: &[
        Output::new("output", "T"),
        Output::new("mask", "bool").optional(),
    ],
    types: &[("T", sets::FLOAT), ("T1", sets::FLOAT)],
    attrs: &[
        Attr::int("is_test", 0).until(6),
        Attr::float("ratio", 0.5).until(11),
        Attr::new("seed", AttrKind::Int, Preset::Absent).since(12),
    ],
    infer: |cx| {
        if dropped_ratio(cx)? > 0.0 {
            return Err(cx.unsupported("training_mode with a ratio above 0"));
        }
        let x = cx.ty(0)?;
        Ok(vec![x.clone(), x.with_dtype(DType::Bool)])
    },
    semantics,
    adapt: Some(|node| {
        node.attrs.remove("is_test");
        node.attrs.remove("ratio");
        Ok(())
    }),
    ..OpDef::NEW
};

/// The share of elements to drop: 0 in inference, else the ratio.
fn dropped_ratio(cx: &Cx) -> Result<f64, TypeError> {
    if !cx.has(2) || cx.const_int(2)? == 0 {
        return Ok(0.0);
    }
    if !cx.has(1) {
        return Ok(0.5);
    }
    cx.constant(1)?
        .to_f64()
        .first()
        .copied()
        .ok_or_else(|| cx.error("the ratio is empty"))
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let mut c = Composer::new(cx);
    let mut outputs = vec![c.op(Identity, &[c.arg(0)])?];
    if cx.outputs > 1 {
        let shape: Vec<i64> = cx.shape(0)?.iter().map(|&d| d as i64).collect();
        let shape = c.ints(&shape);
        let kept = c.constant(Tensor::scalar_i64(DType::Bool, 1));
        outputs.push(c.op(Expand, &[kept, shape])?);
    }
    c.finish(&outputs)
}
