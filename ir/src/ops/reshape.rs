//! Reshape: the same elements in row-major order under another shape; 0 copies a dimension (unless `allowzero`), one -1 is
//! inferred. <https://onnx.ai/onnx/operators/onnx__Reshape.html>

use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::attrs::AttrKind;
use crate::schema::Preset;
use crate::types::{TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "Reshape",
    inputs: &[Input::new("data", "T"), Input::new("shape", "i64").since(5)],
    outputs: &[Output::new("reshaped", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::new("shape", AttrKind::Ints, Preset::Absent).until(4).becomes_input(1),
        Attr::int("allowzero", 0).since(14),
    ],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, target(cx)?)]),
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let shape = cx.shape(0)?;
    let wanted = cx.constant(1)?;
    if wanted.shape().len() > 1 {
        return Err(cx.error(format!("the shape must be one-dimensional, is {}", wanted.ty())));
    }
    let wanted = wanted.to_i64();
    let allow_zero = cx.flag("allowzero")?;
    let from = element_count(&shape).ok_or_else(|| cx.error("element count overflows"))?;
    let mut hole = None;
    let mut out = Vec::with_capacity(wanted.len());
    for (i, &d) in wanted.iter().enumerate() {
        out.push(match d {
            -1 if hole.replace(i).is_some() => return Err(cx.error(format!("shape {wanted:?} has more than one -1"))),
            -1 => 1,
            0 if !allow_zero => *shape
                .get(i)
                .ok_or_else(|| cx.error(format!("shape {wanted:?} copies dimension {i} of an input of rank {}", shape.len())))?,
            d => usize::try_from(d).map_err(|_| cx.error(format!("shape {wanted:?} has a negative dimension {d}")))?,
        });
    }
    let known = element_count(&out).ok_or_else(|| cx.error(format!("shape {wanted:?} overflows")))?;
    if let Some(i) = hole {
        if known == 0 || !from.is_multiple_of(known) {
            return Err(cx.error(format!("{from} elements do not divide into shape {wanted:?}")));
        }
        out[i] = from / known;
    } else if known != from {
        return Err(cx.error(format!("shape {wanted:?} has {known} elements, the input {shape:?} has {from}")));
    }
    Ok(out)
}
