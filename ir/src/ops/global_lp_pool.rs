//! GlobalLpPool: the p-norm over all spatial axes, `(sum |x|^p)^(1/p)`. <https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html>

use crate::class::Combine;
use crate::expr::Ex;
use crate::ops::{lp_pool, pooling};
use crate::schema::{Attr, Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "GlobalLpPool",
    since: 2,
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::int("p", 2)],
    infer: |cx| {
        lp_pool::order(cx)?;
        pooling::infer_global(cx)
    },
    semantics: |cx| {
        let p = lp_pool::order(cx)? as f64;
        let x = Ex::arg(0, cx.dtype(0)?);
        let map = x.abs().pow(&x.lit(p));
        let root = x.pow(&x.lit(1.0 / p));
        pooling::semantics_global(cx, Combine::Sum, Some(map.finish()), Some(root.finish()))
    },
    ..OpDef::NEW
};
