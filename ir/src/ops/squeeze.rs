//! Squeeze: drops the axes `axes`, each of extent 1 (all such axes where none are given).
//! <https://onnx.ai/onnx/operators/onnx__Squeeze.html>

use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Squeeze",
    inputs: &[
        Input::new("data", "T"),
        Input::new("axes", "i64").optional().since(13),
    ],
    outputs: &[Output::new("squeezed", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::ints("axes").until(12).becomes_input(1)],
    infer,
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axes: Vec<usize> = match cx.const_ints(1)? {
        Some(axes) => cx.normalize_axes(&axes, x.rank())?,
        None => {
            let shape = cx.shape(0)?;
            (0..shape.len()).filter(|&a| shape[a] == 1).collect()
        }
    };
    if let Some(a) = axes.iter().find(|&&a| x.shape[a] != Dim::Fixed(1)) {
        return Err(cx.error(format!("axis {a} of {x} has not extent 1")));
    }
    let kept = (0..x.rank()).filter(|a| !axes.contains(a));
    Ok(vec![TensorType::new(
        x.dtype,
        kept.map(|a| x.shape[a].clone()),
    )])
}
