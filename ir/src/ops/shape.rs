//! Shape: the dimensions `start..end` of the input as i64, known at compile time. <https://onnx.ai/onnx/operators/onnx__Shape.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Shape",
    inputs: &[Input::new("data", "T")],
    outputs: &[Output::new("shape", "i64")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::int("start", 0).since(15),
        Attr::new("end", AttrKind::Int, Preset::Absent).since(15),
    ],
    infer: |cx| Ok(vec![TensorType::new(DType::I64, [dimensions(cx)?.len()])]),
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let shape = c.ints(&dimensions(cx)?);
        c.finish(&[shape])
    },
    ..OpDef::NEW
};

fn dimensions(cx: &Cx) -> Result<Vec<i64>, TypeError> {
    let rank = cx.rank(0)? as i64;
    let bound = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank) as usize;
    let range = bound(cx.int("start")?)..bound(cx.opt_int("end").unwrap_or(rank));
    range.map(|axis| Ok(cx.extent(0, axis)? as i64)).collect()
}
