//! Concat: the inputs one after the other along `axis`; all other dimensions agree.
//! <https://onnx.ai/onnx/operators/onnx__Concat.html>

use crate::attrs::AttrKind;
use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Concat",
    since: 4,
    inputs: &[Input::new("inputs", "T").variadic()],
    outputs: &[Output::new("concat_result", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::required("axis", AttrKind::Int)],
    infer: |cx| Ok(vec![infer(cx)?]),
    semantics: |cx| {
        let axis = cx.axis("axis", cx.rank(0)?)?;
        Ok(Semantics::Movement(Movement::Concat { axis }))
    },
    ..OpDef::NEW
};

/// The type of all inputs one after the other.
pub fn infer(cx: &Cx) -> Result<TensorType, TypeError> {
    let first = cx.ty(0)?;
    let axis = cx.axis("axis", first.rank())?;
    let mut shape = first.shape.clone();
    for i in 1..cx.inputs.len() {
        let next = cx.ty(i)?;
        if next.rank() != first.rank() {
            return Err(cx.error(format!(
                "input {i} has rank {}, input 0 has rank {}",
                next.rank(),
                first.rank()
            )));
        }
        let mut others = (0..first.rank()).filter(|&a| a != axis);
        if let Some(a) = others.find(|&a| next.shape[a] != first.shape[a]) {
            return Err(cx.error(format!(
                "dimension {a} of input {i} mismatches: {next} beside {first}"
            )));
        }
        shape[axis] = Dim::Fixed(
            cx.extent(0, axis)?
                .checked_add(cx.extent(i, axis)?)
                .and_then(|_| shape[axis].fixed()?.checked_add(next.shape[axis].fixed()?))
                .ok_or_else(|| cx.error(format!("extent of axis {axis} overflows")))?,
        );
    }
    Ok(TensorType::new(first.dtype, shape))
}
