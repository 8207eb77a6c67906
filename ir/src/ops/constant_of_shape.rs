//! ConstantOfShape: a tensor of that shape filled with the one element of `value` (f32 0 where absent).
//! <https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "ConstantOfShape",
    since: 9,
    inputs: &[Input::new("input", "i64")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::new("value", AttrKind::Tensor, Preset::Absent)],
    infer: |cx| {
        let shape = shape(cx)?.into_iter().map(|d| Dim::Fixed(d as u64));
        Ok(vec![TensorType::new(value(cx)?.dtype(), shape)])
    },
    semantics: |cx| {
        let shape = shape(cx)?;
        let mut c = Composer::new(cx);
        let fill = c.constant(value(cx)?);
        let y = c.expand(fill, &shape)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn shape(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let wanted = cx.constant(0)?.to_i64();
    wanted
        .iter()
        .map(|&d| usize::try_from(d))
        .collect::<Result<_, _>>()
        .map_err(|_| cx.error(format!("shape {wanted:?} has a negative dimension")))
}

/// The fill as a scalar.
fn value(cx: &Cx) -> Result<Tensor, TypeError> {
    match cx.tensor("value") {
        None => Ok(Tensor::scalar_f64(DType::F32, 0.0)),
        Some(value) => value
            .reshape(Vec::new())
            .ok_or_else(|| cx.attr_error("value", "must have one element")),
    }
}
