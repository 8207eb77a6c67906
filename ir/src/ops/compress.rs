//! Compress: the slices along `axis` (elements of the flattened input where there is none) whose condition is true.
//! <https://onnx.ai/onnx/operators/onnx__Compress.html>

use crate::attrs::AttrKind;
use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{Dim, TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "Compress",
    since: 9,
    inputs: &[Input::new("input", "T"), Input::new("condition", "bool")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::new("axis", AttrKind::Int, Preset::Absent)],
    infer,
    semantics: |cx| Ok(Semantics::Index(Index::Compress { axis: axis(cx)? })),
    ..OpDef::NEW
};

/// `None` flattens.
fn axis(cx: &Cx) -> Result<Option<usize>, TypeError> {
    let rank = cx.rank(0)?;
    cx.opt_int("axis")
        .map(|_| cx.axis("axis", rank))
        .transpose()
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (x, condition) = (cx.ty(0)?, cx.ty(1)?);
    if condition.rank() != 1 {
        return Err(cx.error(format!("the condition must have rank 1, is {condition}")));
    }
    let axis = axis(cx)?;
    let extent = match axis {
        Some(a) => x.shape[a].upper(),
        None => x
            .upper_shape()
            .and_then(|s| element_count(&s))
            .map(|n| n as u64),
    };
    let length = condition.shape[0].upper();
    if let (Some(extent), Some(length)) = (extent, condition.shape[0].fixed())
        && length > extent
    {
        return Err(cx.error(format!(
            "the condition has {length} elements for an extent of {extent}"
        )));
    }
    let kept = cx.data_extent([extent, length].into_iter().flatten().min());
    let mut shape: Vec<Dim> = axis.map_or(Vec::new(), |_| x.shape.clone());
    match axis {
        Some(a) => shape[a] = kept,
        None => shape.push(kept),
    }
    Ok(vec![TensorType::new(x.dtype, shape)])
}
