//! GRU: `z, r = f(x W' + h R' + b)`, `n = g(x Wn' + (r . h) Rn' + bn)`, `h = (1 - z) . n + z . h`, step by step; with
//! `linear_before_reset` the reset gate acts after the product. <https://onnx.ai/onnx/operators/onnx__GRU.html>,
//! Cho et al., arXiv:1406.1078.

use crate::class::Cell;
use crate::ops::recurrence::{self, ATTRS};
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "GRU",
    since: 3,
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("R", "T"),
        Input::new("B", "T").optional(),
        Input::new("sequence_lens", "i32").optional(),
        Input::new("initial_h", "T").optional(),
    ],
    outputs: &[
        Output::new("Y", "T").optional(),
        Output::new("Y_h", "T").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &{
        let [a, b, c, d, e, f, g, h] = ATTRS;
        [a, b, c, d, e, f, g, h, Attr::int("linear_before_reset", 0)]
    },
    infer: |cx| recurrence::infer(cx, Cell::Gru),
    semantics: |cx| recurrence::semantics(cx, Cell::Gru, cx.flag("linear_before_reset")?, false),
    ..OpDef::NEW
};
