//! Clip: `y = min(max(x, min), max)`; limits left out do not limit, and where min > max everything becomes max.
//! <https://onnx.ai/onnx/operators/onnx__Clip.html>

use super::elementwise::arg;
use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};

pub static DEF: OpDef = OpDef {
    name: "Clip",
    inputs: &[
        Input::new("input", "T"),
        Input::new("min", "T").optional().since(11),
        Input::new("max", "T").optional().since(11),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[
        Attr::new("min", AttrKind::Float, Preset::Absent).until(10).becomes_input(1),
        Attr::new("max", AttrKind::Float, Preset::Absent).until(10).becomes_input(2),
    ],
    infer: |cx| {
        for limit in 1..3 {
            if let Some(a) = cx.get(limit).filter(|a| a.ty.elements() != Some(1)) {
                return Err(cx.error(format!("a limit must be a scalar, input {limit} is {}", a.ty)));
            }
        }
        cx.same_as(0)
    },
    semantics: |cx| {
        let x = arg(cx, 0)?;
        let mut next = 1;
        let low = limit(cx, 1, &mut next)?;
        let high = limit(cx, 2, &mut next)?;
        let raised = low.map_or(x.clone(), |l| x.max(&l));
        Ok(Semantics::Elementwise(high.map_or(raised.clone(), |h| raised.min(&h)).finish()))
    },
    ..OpDef::NEW
};

/// The limit at input `i`: a literal where it is constant, so that left-out inputs do not matter to the caller's numbering.
fn limit(cx: &Cx, i: usize, next: &mut usize) -> Result<Option<Ex>, TypeError> {
    let Some(a) = cx.get(i) else { return Ok(None) };
    let number = std::mem::replace(next, *next + 1);
    Ok(Some(match a.value {
        Some(t) if a.ty.dtype.is_float() => Ex::float(a.ty.dtype, t.to_f64()[0]),
        Some(t) => Ex::int(a.ty.dtype, t.to_i64()[0]),
        None => Ex::arg(number, a.ty.dtype),
    }))
}
