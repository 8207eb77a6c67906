//! Dropout: in inference the identity, and a mask of ones; in training mode `y = x * mask / (1 - ratio)`, where the mask is 0 with
//! the probability `ratio`. Srivastava et al., JMLR 15 (2014); <https://onnx.ai/onnx/operators/onnx__Dropout.html>

use super::quantization::map;
use super::random::uniform;
use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
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
        let (ratio, x) = (dropped_ratio(cx)?, cx.ty(0)?);
        if !(0.0..1.0).contains(&ratio) {
            return Err(cx.error(format!("the ratio must lie in [0, 1), is {ratio}")));
        }
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
    let ratio = dropped_ratio(cx)?;
    let mut c = Composer::new(cx);
    let x = c.arg(0);
    if ratio > 0.0 {
        let (dtype, shape) = (cx.dtype(0)?, cx.shape(0)?);
        let seed = cx.opt_int("seed").unwrap_or(0) as u32;
        let kept = Ex::float(DType::F32, ratio).le(&uniform(&shape, seed, 0));
        let mask = map(&mut c, &[x], DType::Bool, |_| kept.clone())?;
        let y = map(&mut c, &[x, mask], dtype, |a| {
            a[1].select(&(&a[0] / &a[0].lit(1.0 - ratio)), &a[0].lit(0.0))
        })?;
        return c.finish(&[y, mask][..cx.outputs.clamp(1, 2)]);
    }
    let mut outputs = vec![c.op(Identity, &[x])?];
    if cx.outputs > 1 {
        let shape: Vec<i64> = cx.shape(0)?.iter().map(|&d| d as i64).collect();
        let shape = c.ints(&shape);
        let kept = c.constant(Tensor::scalar_i64(DType::Bool, 1));
        outputs.push(c.op(Expand, &[kept, shape])?);
    }
    c.finish(&outputs)
}
