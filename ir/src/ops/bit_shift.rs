//! BitShift: `c = a << b` or `a >> b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__BitShift.html>
//!
//! Signed integers shift right arithmetically; a count outside of `[0, width)` leaves 0, or the sign everywhere.

use super::elementwise::{binary, map2};
use crate::attrs::AttrKind;
use crate::expr::{BinaryOp, Ex};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[Attr::required("direction", AttrKind::Str)],
    ..binary("BitShift", 11, &[("T", sets::INT)], |cx| {
        match cx.str("direction")? {
            "LEFT" => map2(cx, |a, b| a.binary(BinaryOp::Shl, b)),
            "RIGHT" => map2(cx, shift_right),
            other => {
                Err(cx.attr_error("direction", format!("must be LEFT or RIGHT, got '{other}'")))
            }
        }
    })
};

fn shift_right(a: &Ex, b: &Ex) -> Ex {
    if !a.dtype().is_signed() {
        return a.binary(BinaryOp::Shr, b);
    }
    let last = Ex::int(b.dtype(), 8 * b.dtype().size() as i64 - 1);
    let inside = Ex::int(b.dtype(), 0).le(b).and(&b.le(&last));
    a.binary(BinaryOp::Shr, &inside.select(b, &last))
}
