//! Pow: `z = x^y`, operands broadcast; the result has the type of `x`. <https://onnx.ai/onnx/operators/onnx__Pow.html>

use super::elementwise::{BROADCAST, align, arg};
use crate::class::Semantics;
use crate::expr::BinaryOp;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "Pow",
    inputs: &[Input::new("X", "T"), Input::new("Y", "U")],
    outputs: &[Output::new("Z", "T")],
    types: &[("T", sets::NUMERIC), ("U", sets::NUMERIC)],
    attrs: BROADCAST,
    infer: |cx| cx.infer_broadcast(),
    semantics: |cx| {
        let (x, y) = (arg(cx, 0)?, arg(cx, 1)?);
        // A fractional power of an integer is computed in floating point and truncated.
        let common = if y.dtype().is_float() && !x.dtype().is_float() {
            y.dtype()
        } else {
            x.dtype()
        };
        let power = x.cast(common).binary(BinaryOp::Pow, &y.cast(common));
        Ok(Semantics::Elementwise(power.cast(x.dtype()).finish()))
    },
    adapt: Some(align),
    ..OpDef::NEW
};
