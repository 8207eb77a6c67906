//! CenterCropPad: crops or zero-pads the axes `axes` (all where none are given) to the sizes `shape`, the middle staying the
//! middle; the odd element goes to the end. <https://onnx.ai/onnx/operators/onnx__CenterCropPad.html>

use crate::class::{AxisMap, Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "CenterCropPad",
    since: 18,
    inputs: &[Input::new("input_data", "T"), Input::new("shape", "I")],
    outputs: &[Output::new("output_data", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[Attr::ints("axes")],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, target(cx)?)]),
    semantics: |cx| {
        let (from, to) = (cx.ty(0)?, target(cx)?);
        let axes = (0..to.len()).map(|a| {
            let offset = match (from.shape[a].fixed(), to[a].fixed()) {
                (Some(from), Some(to)) if from >= to => ((from - to) / 2) as i64,
                (Some(from), Some(to)) => -(((to - from) / 2) as i64),
                _ => 0,
            };
            AxisMap {
                offset,
                ..AxisMap::same(a)
            }
        });
        Ok(Semantics::Movement(Movement::View {
            axes: axes.collect(),
            fill: Some(0.0),
        }))
    },
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<Vec<Dim>, TypeError> {
    let x = cx.ty(0)?;
    let sizes = cx.constant(1)?.to_i64();
    let axes = match cx.opt_ints("axes") {
        Some(axes) => axes,
        None => (0..x.rank() as i64).collect(),
    };
    if axes.len() != sizes.len() {
        return Err(cx.error(format!("shape {sizes:?} does not name the axes {axes:?}")));
    }
    cx.normalize_axes(&axes, x.rank())?;
    let mut shape = x.shape.clone();
    for (&axis, &size) in axes.iter().zip(&sizes) {
        let axis = cx.normalize_axis(axis, x.rank())?;
        let size = u64::try_from(size)
            .map_err(|_| cx.error(format!("shape {sizes:?} has a negative dimension")))?;
        cx.extent(0, axis)?;
        shape[axis] = Dim::Fixed(size);
    }
    Ok(shape)
}
