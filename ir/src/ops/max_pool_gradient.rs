//! MaxPoolGradient: the gradient of MaxPool with respect to its input. The first of the greatest elements of a window gets the
//! window's gradient; an element that wins several windows gets their sum: `dx[i] = sum_{o: i = argmax window o} dy[o]`. A NaN is
//! compared as any number: nothing exceeds it, and it exceeds nothing. With `rectified`
//! set, only windows whose greatest element is above 0 pass their gradient on.

use crate::class::{Semantics, WindowKind};
use crate::ops::{max_pool, pooling};
use crate::schema::{Attr, CNNC, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "MaxPoolGradient",
    domain: CNNC,
    inputs: &[Input::new("X", "T"), Input::new("DY", "T")],
    outputs: &[Output::new("DX", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &ATTRS,
    infer: |cx| {
        check(cx, &pooling::infer(cx)?)?;
        Ok(vec![cx.ty(0)?.clone()])
    },
    semantics: |cx| match pooling::semantics(cx, WindowKind::Max)? {
        Semantics::Window(window) => Ok(Semantics::WindowGradient {
            window,
            rectified: cx.flag("rectified")?,
        }),
        _ => Err(cx.error("is no window")),
    },
    ..OpDef::NEW
};

/// Those of the pool, and whether what was pooled is what a ReLU left, whose gradient is then taken as well.
const ATTRS: [Attr; 8] = {
    let [a, b, c, d, e, f, g] = max_pool::ATTRS;
    [a, b, c, d, e, f, g, Attr::int("rectified", 0)]
};

/// Checks that the gradient, input 1, has the shape of the pool's result.
pub fn check(cx: &Cx, pooled: &TensorType) -> Result<(), TypeError> {
    let dy = cx.ty(1)?;
    if dy.shape != pooled.shape || !pooled.is_fixed() {
        return Err(cx.error(format!(
            "the gradient of the output must have the shape of the output, {pooled}, is {dy}"
        )));
    }
    Ok(())
}
