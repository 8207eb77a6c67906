//! Windows that are sums of cosines: `a - b cos(2 pi n / N) + c cos(4 pi n / N)`; `N` is the size, or one less if not `periodic`.

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::expr::{Ex, UnaryOp};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, Dim, TensorType};
use std::f64::consts::TAU;

/// The declaration of every window.
pub const WINDOW: OpDef = OpDef {
    since: 17,
    inputs: &[Input::new("size", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::INDEX), ("T2", sets::NUMERIC)],
    attrs: &[
        Attr::new(
            "output_datatype",
            AttrKind::DType,
            Preset::DType(DType::F32),
        ),
        Attr::int("periodic", 1),
    ],
    infer: |cx| {
        let dtype = cx.dtype_attr("output_datatype").unwrap_or(DType::F32);
        Ok(vec![TensorType::new(dtype, [Dim::Fixed(size(cx)?)])])
    },
    ..OpDef::NEW
};

fn size(cx: &Cx) -> Result<u64, TypeError> {
    let size = cx.const_int(0)?;
    u64::try_from(size).map_err(|_| cx.error(format!("the size must not be negative, is {size}")))
}

/// The window with these coefficients, computed in f64.
pub fn semantics(cx: &Cx, [a, b, c]: [f64; 3]) -> Result<Semantics, TypeError> {
    let period = size(cx)?
        .saturating_sub(u64::from(!cx.flag("periodic")?))
        .max(1);
    let n = Ex::index(0).cast(DType::F64);
    let cosine = |turns: f64| (&n * (TAU * turns / period as f64)).unary(UnaryOp::Cos);
    let window = n.lit(a) - cosine(1.0) * b + cosine(2.0) * c;
    let dtype = cx.dtype_attr("output_datatype").unwrap_or(DType::F32);
    Ok(Semantics::Elementwise(window.cast(dtype).finish()))
}
