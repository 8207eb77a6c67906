//! Momentum: `g' = g + norm x; v' = alpha v + beta' g'; x' = x - rate v'`, or, for `mode` nesterov, `x' = x - rate (g' + alpha v')`;
//! `beta'` is `beta`, and 1 at step 0. <https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html>

use super::optimizer::{self, OPTIMIZER};
use crate::attrs::AttrKind;
use crate::schema::{Attr, Cx, OpDef, TypeError};

pub static DEF: OpDef = OpDef {
    name: "Momentum",
    attrs: &[
        Attr::required("alpha", AttrKind::Float),
        Attr::required("beta", AttrKind::Float),
        Attr::required("mode", AttrKind::Str),
        Attr::required("norm_coefficient", AttrKind::Float),
    ],
    infer: |cx| {
        is_nesterov(cx)?;
        optimizer::infer(cx, 1)
    },
    semantics: |cx| {
        let (alpha, beta, norm) = (
            cx.float("alpha")?,
            cx.float("beta")?,
            cx.float("norm_coefficient")?,
        );
        let nesterov = is_nesterov(cx)?;
        optimizer::semantics(cx, 1, |e| {
            let gradient = &e.x * norm + &e.gradient;
            let zero = e.step.lit(0.0);
            let beta = zero.lt(&e.step).select(&zero.lit(beta), &zero.lit(1.0));
            let v = &e.state[0] * alpha + beta * &gradient;
            let direction = if nesterov {
                gradient + &v * alpha
            } else {
                v.clone()
            };
            vec![&e.x - &(&e.rate * &direction), v]
        })
    },
    ..OPTIMIZER
};

fn is_nesterov(cx: &Cx) -> Result<bool, TypeError> {
    match cx.str("mode")? {
        "standard" => Ok(false),
        "nesterov" => Ok(true),
        other => Err(cx.attr_error(
            "mode",
            format!("must be standard or nesterov, is '{other}'"),
        )),
    }
}
