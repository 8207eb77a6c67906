//! BitShift: `c = a << b` or `a >> b`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__BitShift.html>

use super::elementwise::{binary, map2};
use crate::attrs::AttrKind;
use crate::expr::BinaryOp;
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[Attr::required("direction", AttrKind::Str)],
    ..binary("BitShift", 11, &[("T", sets::INT)], |cx| {
        let op = match cx.str("direction")? {
            "LEFT" => BinaryOp::Shl,
            "RIGHT" => BinaryOp::Shr,
            other => return Err(cx.attr_error("direction", format!("must be LEFT or RIGHT, got '{other}'"))),
        };
        map2(cx, |a, b| a.binary(op, b))
    })
};
