//! BitCast: the same bits under another element type of the same size. <https://onnx.ai/onnx/operators/onnx__BitCast.html>

use super::elementwise::arg;
use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "BitCast",
    since: 26,
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "U")],
    types: &[("T", sets::ALL), ("U", sets::ALL)],
    attrs: &[Attr::required("to", AttrKind::DType)],
    infer: |cx| Ok(vec![cx.ty(0)?.with_dtype(target(cx)?)]),
    semantics: |cx| Ok(Semantics::Elementwise(arg(cx, 0)?.bitcast(target(cx)?).finish())),
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<DType, TypeError> {
    let (from, to) = (cx.dtype(0)?, cx.dtype_attr("to").ok_or_else(|| cx.attr_error("to", "is missing"))?);
    if from.size() != to.size() {
        return Err(cx.attr_error("to", format!("{to} has not the size of {from}")));
    }
    if from.is_half() || to.is_half() {
        return Err(cx.unsupported(format!("reinterpreting the bits of {from} as {to}")));
    }
    Ok(to)
}
