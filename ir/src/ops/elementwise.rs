//! What the elementwise operators share: declarations of one or two operands, and expressions over them.

use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError};
use crate::types::DType;

/// A type variable `T` over a set of element types.
pub type Types = &'static [(&'static str, &'static [DType])];

const ONE: &[Input] = &[Input::new("X", "T")];
const TWO: &[Input] = &[Input::new("A", "T"), Input::new("B", "T")];
const ANY: &[Input] = &[Input::new("data_0", "T").variadic()];
const RESULT: &[Output] = &[Output::new("C", "T")];
const TRUTH: &[Output] = &[Output::new("C", "bool")];

/// One operand, a result of its type and shape.
pub const fn unary(
    name: &'static str,
    since: u32,
    types: Types,
    semantics: fn(&Cx) -> Result<Semantics, TypeError>,
) -> OpDef {
    OpDef {
        name,
        since,
        inputs: ONE,
        types,
        semantics,
        ..OpDef::NEW
    }
}

/// One operand and attributes.
pub const fn activation(
    name: &'static str,
    since: u32,
    types: Types,
    attrs: &'static [Attr],
    semantics: fn(&Cx) -> Result<Semantics, TypeError>,
) -> OpDef {
    OpDef {
        attrs,
        ..unary(name, since, types, semantics)
    }
}

/// Two operands of one type that broadcast, a result of their type.
pub const fn binary(
    name: &'static str,
    since: u32,
    types: Types,
    semantics: fn(&Cx) -> Result<Semantics, TypeError>,
) -> OpDef {
    OpDef {
        name,
        since,
        inputs: TWO,
        outputs: RESULT,
        types,
        infer: |cx| cx.infer_broadcast(),
        semantics,
        ..OpDef::NEW
    }
}

/// Two operands of one type that broadcast, a boolean result.
pub const fn predicate(
    name: &'static str,
    since: u32,
    types: Types,
    semantics: fn(&Cx) -> Result<Semantics, TypeError>,
) -> OpDef {
    OpDef {
        outputs: TRUTH,
        infer: |cx| cx.infer_predicate(),
        ..binary(name, since, types, semantics)
    }
}

/// One or more operands of one type that broadcast.
pub const fn variadic(
    name: &'static str,
    since: u32,
    types: Types,
    semantics: fn(&Cx) -> Result<Semantics, TypeError>,
) -> OpDef {
    OpDef {
        inputs: ANY,
        ..binary(name, since, types, semantics)
    }
}

/// Operand `k` as an expression.
pub fn arg(cx: &Cx, k: usize) -> Result<Ex, TypeError> {
    Ok(Ex::arg(k, cx.dtype(k)?))
}

/// `f(x)`.
pub fn map(cx: &Cx, f: impl Fn(&Ex) -> Ex) -> Result<Semantics, TypeError> {
    Ok(Semantics::Elementwise(f(&arg(cx, 0)?).finish()))
}

/// `f(a, b)`.
pub fn map2(cx: &Cx, f: impl Fn(&Ex, &Ex) -> Ex) -> Result<Semantics, TypeError> {
    Ok(Semantics::Elementwise(
        f(&arg(cx, 0)?, &arg(cx, 1)?).finish(),
    ))
}

/// `x0 op x1 op ...`, from the left.
pub fn fold(cx: &Cx, f: impl Fn(&Ex, &Ex) -> Ex) -> Result<Ex, TypeError> {
    let mut sum = arg(cx, 0)?;
    for k in 1..cx.inputs.len() {
        sum = f(&sum, &arg(cx, k)?);
    }
    Ok(sum)
}
