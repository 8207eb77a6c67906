//! Pad: `pads[a]` elements before and `pads[n + a]` after every axis: a constant, the mirrored inside (`reflect`), the border
//! (`edge`) or the other end (`wrap`); negative counts crop. <https://onnx.ai/onnx/operators/onnx__Pad.html>
//!
//! Constant padding is a view with a fill; the other modes gather each padded axis through a table of positions.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::{AxisMap, Movement, Semantics};
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::schema::{Adapt, Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, MAX_BYTES, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Pad",
    since: 2,
    inputs: &[
        Input::new("data", "T"),
        Input::new("pads", "i64").since(11),
        Input::new("constant_value", "T").optional().since(11),
        Input::new("axes", "I").optional().since(18),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[
        Attr::str("mode", "constant"),
        Attr::ints("pads").until(10).becomes_input(1),
        Attr::new("value", AttrKind::Float, Preset::Absent).until(10),
    ],
    infer,
    semantics: |cx| match Mode::of(cx)? {
        Mode::Constant => constant(cx),
        mode => gathered(cx, mode),
    },
    adapt: Some(value_to_input),
    ..OpDef::NEW
};

/// Before opset 11 the fill is the attribute `value`, whatever the element type.
fn value_to_input(node: &mut Adapt) -> Result<(), TypeError> {
    if let Some(AttrValue::Float(value)) = node.attrs.remove("value") {
        let dtype = node.ty(0).map_or(DType::F32, |x| x.dtype);
        node.set_input(2, Tensor::scalar_f64(dtype, value));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

impl Mode {
    fn of(cx: &Cx) -> Result<Mode, TypeError> {
        match cx.str("mode")? {
            "constant" => Ok(Mode::Constant),
            "reflect" => Ok(Mode::Reflect),
            "edge" => Ok(Mode::Edge),
            "wrap" => Ok(Mode::Wrap),
            other => Err(cx.attr_error(
                "mode",
                format!("must be constant, reflect, edge or wrap, is {other}"),
            )),
        }
    }

    /// Which of `extent` (at least one) elements stands at position `i`, which may lie outside.
    fn source(self, i: i64, extent: i64) -> i64 {
        match self {
            Mode::Constant | Mode::Edge => i.clamp(0, extent - 1),
            Mode::Wrap => i.rem_euclid(extent),
            Mode::Reflect => {
                let last = extent - 1;
                last - (i.rem_euclid((2 * last).max(1)) - last).abs()
            }
        }
    }
}

/// Longest axis that the tables of the non-constant modes may span.
const MAX_TABLE: u64 = 1 << 26;

/// Elements before and after each axis.
fn pads(cx: &Cx) -> Result<Vec<(i64, i64)>, TypeError> {
    let rank = cx.rank(0)?;
    let pads = cx.constant(1)?.to_i64();
    let axes = match cx.const_ints(3)? {
        Some(axes) => axes,
        None => (0..rank as i64).collect(),
    };
    cx.normalize_axes(&axes, rank)?;
    if pads.len() != 2 * axes.len() {
        return Err(cx.error(format!(
            "{} pads for {} axes: one before and one after each is needed",
            pads.len(),
            axes.len()
        )));
    }
    let mut out = vec![(0, 0); rank];
    for (i, &axis) in axes.iter().enumerate() {
        out[cx.normalize_axis(axis, rank)?] = (pads[i], pads[axes.len() + i]);
    }
    Ok(out)
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let mode = Mode::of(cx)?;
    if cx.get(2).is_some_and(|v| v.ty.elements() != Some(1)) {
        return Err(cx.error(format!("constant_value must be a scalar, is {}", cx.ty(2)?)));
    }
    let mut shape = x.shape.clone();
    for (axis, (before, after)) in pads(cx)?.into_iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let extent = cx.extent(0, axis)?;
        let inside = i128::from(extent) + i128::from(before.min(0)) + i128::from(after.min(0));
        let padded = i128::from(extent) + i128::from(before) + i128::from(after);
        let refuse = |why: &str| {
            cx.error(format!(
                "pads ({before}, {after}) of axis {axis} of size {extent} {why}"
            ))
        };
        let padded = u64::try_from(padded)
            .ok()
            .filter(|_| before.unsigned_abs().max(after.unsigned_abs()) <= MAX_BYTES)
            .ok_or_else(|| refuse("leave a negative size or one too large"))?;
        if mode != Mode::Constant && (padded > MAX_TABLE || (inside <= 0 && padded > 0)) {
            return Err(refuse("leave nothing to repeat, or too large a size"));
        }
        shape[axis] = Dim::Fixed(padded);
    }
    Ok(vec![TensorType::new(x.dtype, shape)])
}

/// The fill, if it is known and a view's f64 holds it exactly.
fn fill(cx: &Cx) -> Option<f64> {
    let Some(value) = cx.get(2) else {
        return Some(0.0);
    };
    let value = value.value?;
    let fill = *value.to_f64().first()?;
    let exact = value.dtype().is_float() || fill.abs() <= (1u64 << 53) as f64;
    exact.then_some(fill)
}

fn constant(cx: &Cx) -> Result<Semantics, TypeError> {
    let pads = pads(cx)?;
    if let Some(fill) = fill(cx) {
        let axes = pads.iter().enumerate().map(|(a, p)| AxisMap {
            offset: -p.0,
            ..AxisMap::same(a)
        });
        return Ok(Semantics::Movement(Movement::View {
            axes: axes.collect(),
            fill: Some(fill),
        }));
    }
    // The fill is known only at run time: pad a mask of the inside along.
    let (before, after): (Vec<i64>, Vec<i64>) = pads.into_iter().unzip();
    let mut c = Composer::new(cx);
    let pads = c.ints(&[before, after].concat());
    let inside = c.constant(Tensor::scalar_i64(DType::Bool, 1));
    let inside = c.expand(inside, &cx.shape(0)?)?;
    let inside = c.op(OpKind::Pad, &[inside, pads])?;
    let padded = c.op(OpKind::Pad, &[c.arg(0), pads])?;
    let fill = c.reshape(c.arg(2), &[])?;
    let y = c.op(OpKind::Where, &[inside, padded, fill])?;
    c.finish(&[y])
}

fn gathered(cx: &Cx, mode: Mode) -> Result<Semantics, TypeError> {
    let mut c = Composer::new(cx);
    let mut y = c.arg(0);
    for (axis, (before, after)) in pads(cx)?.into_iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let extent = cx.extent(0, axis)? as i64;
        let crop = before.min(0).abs();
        let inside = extent - crop + after.min(0);
        let table = (-before.max(0)..inside + after.max(0)).map(|i| crop + mode.source(i, inside));
        y = c.select(y, axis, &table.collect::<Vec<_>>())?;
    }
    if y == c.arg(0) {
        y = c.op(OpKind::Identity, &[y])?;
    }
    c.finish(&[y])
}

#[cfg(test)]
mod tests {
    use super::Mode;

    /// Positions -4..7 around three elements.
    fn around(mode: Mode) -> Vec<i64> {
        (-4..7).map(|i| mode.source(i, 3)).collect()
    }

    #[test]
    fn modes_repeat_as_numpy_does() {
        assert_eq!(around(Mode::Reflect), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(around(Mode::Edge), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(around(Mode::Wrap), [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(Mode::Reflect.source(-7, 1), 0);
    }
}
