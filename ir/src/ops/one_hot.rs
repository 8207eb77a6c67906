//! OneHot: `y[i.., k, j..] = values[1]` where `indices[i.., j..] = k` (or `k - depth`), else `values[0]`; `k` runs along the new
//! axis `axis`. <https://onnx.ai/onnx/operators/onnx__OneHot.html>

use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "OneHot",
    since: 9,
    inputs: &[
        Input::new("indices", "T1"),
        Input::new("depth", "T2"),
        Input::new("values", "T3"),
    ],
    outputs: &[Output::new("output", "T3")],
    types: &[
        ("T1", sets::NUMERIC),
        ("T2", sets::NUMERIC),
        ("T3", sets::ALL),
    ],
    attrs: &[Attr::int("axis", -1)],
    infer: |cx| {
        let values = cx.ty(2)?;
        if values.shape != [Dim::Fixed(2)] {
            return Err(cx.error(format!("values must be [off, on], is {values}")));
        }
        let mut shape = cx.ty(0)?.shape.clone();
        shape.insert(axis(cx)?, Dim::Fixed(depth(cx)? as u64));
        Ok(vec![TensorType::new(values.dtype, shape)])
    },
    semantics: |cx| {
        let (axis, depth, rank) = (axis(cx)?, depth(cx)?, cx.rank(0)?);
        let mut c = Composer::new(cx);
        let at = c.ints(&[axis as i64]);
        let indices = c.op(Unsqueeze, &[c.arg(0), at])?;
        let indices = c.cast(indices, DType::I64)?;
        let classes = c.iota(depth, axis, rank + 1)?;
        let depth = c.scalar(DType::I64, depth as f64);
        let from_end = c.op(Sub, &[classes, depth])?;
        let ahead = c.op(Equal, &[indices, classes])?;
        let behind = c.op(Equal, &[indices, from_end])?;
        let hot = c.op(Or, &[ahead, behind])?;
        let off = c.slice(c.arg(2), 0, 0, 1)?;
        let on = c.slice(c.arg(2), 0, 1, 2)?;
        let y = c.op(Where, &[hot, on, off])?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// Where the new axis stands in the result.
fn axis(cx: &Cx) -> Result<usize, TypeError> {
    cx.axis("axis", cx.rank(0)? + 1)
}

fn depth(cx: &Cx) -> Result<usize, TypeError> {
    let depth = cx.const_int(1)?;
    usize::try_from(depth).map_err(|_| cx.error(format!("depth {depth} is negative")))
}
