//! Unsqueeze: inserts axes of extent 1 so that they are the axes `axes` of the result.
//! <https://onnx.ai/onnx/operators/onnx__Unsqueeze.html>

use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Unsqueeze",
    inputs: &[Input::new("data", "T"), Input::new("axes", "i64").since(13)],
    outputs: &[Output::new("expanded", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::ints("axes").until(12).becomes_input(1)],
    infer,
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axes = cx.constant(1)?.to_i64();
    let rank = x.rank() + axes.len();
    let axes = cx.normalize_axes(&axes, rank)?;
    let mut kept = x.shape.iter();
    let shape = (0..rank).map(|a| match axes.binary_search(&a) {
        Ok(_) => Dim::Fixed(1),
        Err(_) => kept.next().cloned().unwrap_or(Dim::Fixed(1)),
    });
    Ok(vec![TensorType::new(x.dtype, shape)])
}
