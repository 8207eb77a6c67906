//! Cast: the value under the element type `to`; floats to integers truncate and saturate, integers wrap, to bool is `x != 0`.
//! <https://onnx.ai/onnx/operators/onnx__Cast.html>
//!
//! `saturate` and `round_mode` concern 8-bit floats only, which are no element types here.

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "Cast",
    inputs: &[Input::new("input", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::ALL), ("T2", sets::ALL)],
    attrs: &[
        Attr::str("round_mode", "up").since(24),
        Attr::int("saturate", 1).since(19),
        Attr::required("to", AttrKind::DType),
    ],
    infer: |cx| Ok(vec![cx.ty(0)?.with_dtype(to(cx)?)]),
    semantics: |cx| {
        let x = Ex::arg(0, cx.dtype(0)?);
        Ok(Semantics::Elementwise(x.cast(to(cx)?).finish()))
    },
    ..OpDef::NEW
};

fn to(cx: &Cx) -> Result<DType, TypeError> {
    cx.dtype_attr("to")
        .ok_or_else(|| cx.attr_error("to", "is missing"))
}
