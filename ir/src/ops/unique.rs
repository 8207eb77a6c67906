//! Unique: the distinct elements (or slices along `axis`), where each occurs first, which of them every input element is, and
//! how often each occurs. <https://onnx.ai/onnx/operators/onnx__Unique.html>

use crate::attrs::AttrKind;
use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, Dim, TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "Unique",
    since: 11,
    inputs: &[Input::new("X", "T")],
    outputs: &[
        Output::new("Y", "T"),
        Output::new("indices", "i64").optional(),
        Output::new("inverse_indices", "i64").optional(),
        Output::new("counts", "i64").optional(),
    ],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::new("axis", AttrKind::Int, Preset::Absent),
        Attr::int("sorted", 1),
    ],
    infer,
    semantics: |cx| {
        Ok(Semantics::Index(Index::Unique {
            axis: axis(cx)?,
            sorted: cx.flag("sorted")?,
        }))
    },
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
    let (x, shape) = (cx.ty(0)?, cx.shape(0)?);
    let axis = axis(cx)?;
    let all = match axis {
        Some(a) => shape[a],
        None => element_count(&shape).ok_or_else(|| cx.error("element count overflows"))?,
    };
    let distinct = cx.data_extent(Some(all as u64));
    let values = match axis {
        Some(a) => {
            let mut dims = x.shape.clone();
            dims[a] = distinct.clone();
            dims
        }
        None => vec![distinct.clone()],
    };
    let per_value = TensorType::new(DType::I64, [distinct]);
    Ok(vec![
        TensorType::new(x.dtype, values),
        per_value.clone(),
        TensorType::new(DType::I64, [Dim::from(all)]),
        per_value,
    ])
}
