//! Adagrad: `g' = g + norm x; h' = h + g'^2; x' = x - rate / (1 + decay step) g' / (sqrt(h') + epsilon)`.
//! Duchi et al., JMLR 12 (2011); <https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html>

use super::optimizer::{self, OPTIMIZER};
use crate::schema::{Attr, OpDef};

pub static DEF: OpDef = OpDef {
    name: "Adagrad",
    attrs: &[
        Attr::float("decay_factor", 0.0),
        Attr::float("epsilon", 1e-6),
        Attr::float("norm_coefficient", 0.0),
    ],
    infer: |cx| optimizer::infer(cx, 1),
    semantics: |cx| {
        let [decay, epsilon, norm] = [
            cx.float("decay_factor")?,
            cx.float("epsilon")?,
            cx.float("norm_coefficient")?,
        ];
        optimizer::semantics(cx, 1, |e| {
            let rate = &e.rate / (&e.step * decay + 1.0);
            let gradient = &e.x * norm + &e.gradient;
            let h = &e.state[0] + &(&gradient * &gradient);
            let x = &e.x - &(rate * gradient / (h.sqrt() + epsilon));
            vec![x, h]
        })
    },
    ..OPTIMIZER
};
