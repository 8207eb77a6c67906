//! LpNormalization: `y = x / |x|_p` along `axis`, p = 1 or 2; 0 where the norm is 0.
//! <https://onnx.ai/onnx/operators/onnx__LpNormalization.html>

use crate::compose::Composer;
use crate::ops::OpKind::{self, *};
use crate::ops::normalization::operand;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};

pub static DEF: OpDef = OpDef {
    name: "LpNormalization",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::int("axis", -1), Attr::int("p", 2)],
    infer: |cx| {
        cx.axis("axis", cx.rank(0)?)?;
        norm(cx)?;
        cx.same_as(0)
    },
    semantics: |cx| {
        let dtype = cx.dtype(0)?;
        let axis = cx.axis("axis", cx.rank(0)?)? as i64;
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, dtype.compute())?;
        let norm = c.reduce(norm(cx)?, x, &[axis], true)?;
        let zero = c.scalar(dtype.compute(), 0.0);
        let degenerate = c.op(Equal, &[norm, zero])?;
        let normal = c.op(Div, &[x, norm])?;
        let y = c.op(Where, &[degenerate, zero, normal])?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

/// The reduction that computes the norm.
fn norm(cx: &Cx) -> Result<OpKind, TypeError> {
    match cx.int("p")? {
        1 => Ok(ReduceL1),
        2 => Ok(ReduceL2),
        p => Err(cx.attr_error("p", format!("must be 1 or 2, is {p}"))),
    }
}
