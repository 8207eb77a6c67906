//! What CumSum and CumProd share.

use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};

/// `x` and an axis, a scalar constant.
pub const CUMULATIVE: OpDef = OpDef {
    inputs: &[Input::new("x", "T"), Input::new("axis", "T2")],
    outputs: &[Output::new("y", "T")],
    types: &[("T", sets::NUMERIC), ("T2", sets::INDEX)],
    attrs: &[Attr::int("exclusive", 0), Attr::int("reverse", 0)],
    infer: |cx| {
        axis(cx)?;
        cx.same_as(0)
    },
    ..OpDef::NEW
};

fn axis(cx: &Cx) -> Result<usize, TypeError> {
    cx.normalize_axis(cx.const_int(1)?, cx.rank(0)?)
}

/// Running sums, or products.
pub fn semantics(cx: &Cx, product: bool) -> Result<Semantics, TypeError> {
    Ok(Semantics::Index(Index::Cumulative {
        axis: axis(cx)?,
        exclusive: cx.flag("exclusive")?,
        reverse: cx.flag("reverse")?,
        product,
    }))
}
