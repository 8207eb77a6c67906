//! LpPool: the p-norm of every window, `(sum |x|^p)^(1/p)`. <https://onnx.ai/onnx/operators/onnx__LpPool.html>

use crate::attrs::AttrKind;
use crate::class::WindowKind;
use crate::ops::pooling;
use crate::schema::{Attr, Cx, Input, OpDef, TypeError, sets};

pub static DEF: OpDef = OpDef {
    name: "LpPool",
    since: 2,
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::str("auto_pad", "NOTSET"),
        Attr::int("ceil_mode", 0).since(18),
        Attr::ints("dilations").since(18),
        Attr::required("kernel_shape", AttrKind::Ints),
        Attr::int("p", 2),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        order(cx)?;
        Ok(vec![pooling::infer(cx)?])
    },
    semantics: |cx| pooling::semantics(cx, WindowKind::Lp { p: order(cx)? }),
    ..OpDef::NEW
};

/// The norm's order `p`, at least 1.
pub fn order(cx: &Cx) -> Result<i64, TypeError> {
    match cx.int("p")? {
        p if p >= 1 => Ok(p),
        p => Err(cx.attr_error("p", format!("must be at least 1, is {p}"))),
    }
}
