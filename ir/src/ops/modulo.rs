//! Mod: the remainder of `a / b` with the sign of `b`, or with `fmod = 1` of `a`; operands broadcast. <https://onnx.ai/onnx/operators/onnx__Mod.html>
//!
//! A remainder of zero has that sign as well.

use super::elementwise::{binary, map2};
use crate::expr::{BinaryOp, Ex};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[Attr::int("fmod", 0)],
    ..binary("Mod", 10, &[("T", sets::NUMERIC)], |cx| {
        match cx.flag("fmod")? {
            true => map2(cx, |a, b| a.binary(BinaryOp::Rem, b)),
            false => map2(cx, floored),
        }
    })
};

fn floored(a: &Ex, b: &Ex) -> Ex {
    let remainder = a.binary(BinaryOp::Mod, b);
    if !b.dtype().is_float() {
        return remainder;
    }
    let zero = b.lt(&b.lit(0.0)).select(&b.lit(-0.0), &b.lit(0.0));
    remainder.eq(&b.lit(0.0)).select(&zero, &remainder)
}
