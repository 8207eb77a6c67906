//! AveragePool: the mean of every window, of its cells inside the input or, with `count_include_pad`, inside the padded input.
//! <https://onnx.ai/onnx/operators/onnx__AveragePool.html>

use crate::attrs::AttrKind;
use crate::class::WindowKind;
use crate::ops::pooling;
use crate::schema::{Attr, Input, OpDef, sets};

pub static DEF: OpDef = OpDef {
    name: "AveragePool",
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: ATTRS,
    infer: |cx| Ok(vec![pooling::infer(cx)?]),
    semantics: |cx| {
        let count_pad = cx.flag("count_include_pad")?;
        pooling::semantics(cx, WindowKind::Average { count_pad })
    },
    ..OpDef::NEW
};

pub const ATTRS: &[Attr] = &[
    Attr::str("auto_pad", "NOTSET"),
    Attr::int("ceil_mode", 0).since(10),
    Attr::int("count_include_pad", 0).since(7),
    Attr::ints("dilations").since(19),
    Attr::required("kernel_shape", AttrKind::Ints),
    Attr::ints("pads"),
    Attr::ints("strides"),
];
