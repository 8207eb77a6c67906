//! Split: cuts `input` along `axis` into parts of the sizes `split`, or into `num_outputs` equal parts of which the last may be
//! smaller. <https://onnx.ai/onnx/operators/onnx__Split.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Split",
    since: 2,
    inputs: &[
        Input::new("input", "T"),
        Input::new("split", "i64").optional().since(13),
    ],
    outputs: &[Output::new("outputs", "T").variadic()],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::int("axis", 0),
        Attr::ints("split").until(12).becomes_input(1),
        Attr::new("num_outputs", AttrKind::Int, Preset::Absent).since(18),
    ],
    infer,
    semantics: |cx| {
        let axis = cx.axis("axis", cx.rank(0)?)?;
        let mut c = Composer::new(cx);
        let mut parts = Vec::new();
        let mut start = 0;
        for size in sizes(cx, axis)? {
            parts.push(c.slice(c.arg(0), axis, start, start + size)?);
            start += size;
        }
        c.finish(&parts)
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axis = cx.axis("axis", x.rank())?;
    let part = |size: i64| {
        let mut ty = TensorType::new(x.dtype, x.shape.iter().cloned());
        ty.shape[axis] = Dim::Fixed(size.unsigned_abs());
        ty
    };
    Ok(sizes(cx, axis)?.into_iter().map(part).collect())
}

/// Sizes of the parts, none negative, one an output.
fn sizes(cx: &Cx, axis: usize) -> Result<Vec<i64>, TypeError> {
    let extent = i64::try_from(cx.extent(0, axis)?)
        .map_err(|_| cx.error("size of the split axis overflows"))?;
    let parts = cx.outputs as i64;
    match (cx.const_ints(1)?, cx.opt_int("num_outputs")) {
        (Some(_), Some(_)) => Err(cx.error("both split sizes and num_outputs are given")),
        (Some(sizes), None) => given(cx, sizes, extent),
        (None, Some(n)) if n != parts => Err(cx.attr_error(
            "num_outputs",
            format!("is {n}, but the node has {parts} outputs"),
        )),
        (None, None) if parts == 0 || extent % parts != 0 => Err(cx.error(format!(
            "size {extent} does not split into {parts} equal parts"
        ))),
        (None, _) => {
            let size = (extent as u64).div_ceil(cx.outputs.max(1) as u64) as i64;
            let last = extent - size * (parts - 1);
            if last < 0 {
                return Err(cx.error(format!("size {extent} does not split into {parts} parts")));
            }
            Ok((1..parts).map(|_| size).chain([last]).collect())
        }
    }
}

fn given(cx: &Cx, sizes: Vec<i64>, extent: i64) -> Result<Vec<i64>, TypeError> {
    if sizes.len() != cx.outputs {
        return Err(cx.error(format!(
            "{} split sizes for {} outputs",
            sizes.len(),
            cx.outputs
        )));
    }
    if let Some(size) = sizes.iter().find(|&&s| s < 0) {
        return Err(cx.error(format!("split size {size} is negative")));
    }
    let sum = sizes.iter().try_fold(0i64, |a, &b| a.checked_add(b));
    if sum != Some(extent) {
        return Err(cx.error(format!(
            "split sizes {sizes:?} do not sum to the extent {extent} of the axis"
        )));
    }
    Ok(sizes)
}
