//! Gelu: `y = x / 2 (1 + erf(x / sqrt 2))`, or with `approximate = "tanh"`
//! `y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`. <https://onnx.ai/onnx/operators/onnx__Gelu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

pub static DEF: OpDef = activation(
    "Gelu",
    20,
    &[("T", sets::FLOAT)],
    &[Attr::str("approximate", "none")],
    |cx| match cx.str("approximate")? {
        "none" => map(cx, |x| x * 0.5 * ((x * FRAC_1_SQRT_2).erf() + 1.0)),
        "tanh" => map(cx, |x| {
            let cubic = x * x * x * 0.044715;
            x * 0.5 * (((x + &cubic) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2)).tanh() + 1.0)
        }),
        other => Err(cx.attr_error("approximate", format!("must be 'none' or 'tanh', got '{other}'"))),
    },
);
