//! Adam: `g' = g + norm x; v' = alpha v + (1 - alpha) g'; h' = beta h + (1 - beta) g'^2;
//! x' = (1 - norm_post) (x - rate' v' / (sqrt(h') + epsilon))`, with `rate' = rate sqrt(1 - beta^step) / (1 - alpha^step)` for
//! `step > 0`. Kingma and Ba, arXiv:1412.6980; <https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html>

use super::optimizer::{self, OPTIMIZER};
use crate::schema::{Attr, OpDef};

pub static DEF: OpDef = OpDef {
    name: "Adam",
    attrs: &[
        Attr::float("alpha", 0.9),
        Attr::float("beta", 0.999),
        Attr::float("epsilon", 1e-6),
        Attr::float("norm_coefficient", 0.0),
        Attr::float("norm_coefficient_post", 0.0),
    ],
    infer: |cx| optimizer::infer(cx, 2),
    semantics: |cx| {
        let (alpha, beta, epsilon) = (cx.float("alpha")?, cx.float("beta")?, cx.float("epsilon")?);
        let (norm, post) = (
            cx.float("norm_coefficient")?,
            cx.float("norm_coefficient_post")?,
        );
        optimizer::semantics(cx, 2, |e| {
            let gradient = &e.x * norm + &e.gradient;
            let v = &e.state[0] * alpha + &gradient * (1.0 - alpha);
            let h = &e.state[1] * beta + &gradient * &gradient * (1.0 - beta);
            let one = e.rate.lit(1.0);
            let power = |base: f64| &one - &one.lit(base).pow(&e.step);
            let corrected = &e.rate * &power(beta).sqrt() / power(alpha);
            let rate = e.step.lit(0.0).lt(&e.step).select(&corrected, &e.rate);
            let x = (&e.x - &(rate * &v / (h.sqrt() + epsilon))) * (1.0 - post);
            vec![x, v, h]
        })
    },
    ..OPTIMIZER
};
