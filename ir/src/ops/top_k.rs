//! TopK: the `k` largest (or smallest) elements along `axis` and their positions; equal ones in the order of their positions.
//! <https://onnx.ai/onnx/operators/onnx__TopK.html>

use crate::attrs::AttrKind;
use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "TopK",
    inputs: &[Input::new("X", "T"), Input::new("K", "i64").since(10)],
    outputs: &[Output::new("Values", "T"), Output::new("Indices", "i64")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[
        Attr::int("axis", -1),
        Attr::int("largest", 1).since(11),
        Attr::int("sorted", 1).since(11),
        Attr::new("k", AttrKind::Int, Preset::Absent)
            .until(9)
            .becomes_input(1),
    ],
    infer,
    semantics: |cx| {
        Ok(Semantics::Index(Index::TopK {
            axis: cx.axis("axis", cx.rank(0)?)?,
            largest: cx.flag("largest")?,
            sorted: cx.flag("sorted")?,
        }))
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axis = cx.axis("axis", x.rank())?;
    let (k, extent) = (cx.const_int(1)?, cx.extent(0, axis)?);
    let mut shape = x.shape.clone();
    shape[axis] = match u64::try_from(k) {
        Ok(k) if k <= extent => Dim::Fixed(k),
        _ => {
            return Err(cx.error(format!("k is {k}, axis {axis} has extent {extent}")));
        }
    };
    Ok(vec![
        TensorType::new(x.dtype, shape.clone()),
        TensorType::new(DType::I64, shape),
    ])
}
