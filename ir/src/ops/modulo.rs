//! Mod: the remainder of `a / b` with the sign of `b`, or with `fmod = 1` of `a`; operands broadcast. <https://onnx.ai/onnx/operators/onnx__Mod.html>

use super::elementwise::{binary, map2};
use crate::expr::BinaryOp;
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[Attr::int("fmod", 0)],
    ..binary("Mod", 10, &[("T", sets::NUMERIC)], |cx| {
        let op = if cx.flag("fmod")? { BinaryOp::Rem } else { BinaryOp::Mod };
        map2(cx, |a, b| a.binary(op, b))
    })
};
