//! What the elementwise operators share: declarations of one or two operands, and expressions over them.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Adapt, Attr, Cx, Input, OpDef, Output, Preset, TypeError};
use crate::types::DType;

/// A type variable `T` over a set of element types.
pub type Types = &'static [(&'static str, &'static [DType])];

const ONE: &[Input] = &[Input::new("X", "T")];
const TWO: &[Input] = &[Input::new("A", "T"), Input::new("B", "T")];
const ANY: &[Input] = &[Input::new("data_0", "T").variadic()];
const RESULT: &[Output] = &[Output::new("C", "T")];
const TRUTH: &[Output] = &[Output::new("C", "bool")];

/// How two operands broadcast before opset 7.
pub const BROADCAST: &[Attr] = &[
    Attr::new("axis", AttrKind::Int, Preset::Absent).until(6),
    Attr::int("broadcast", 0).until(6),
];

/// Before opset 7 the second operand's axes are those of the first from `axis` on; without `axis`, and since, they are the last.
pub fn align(node: &mut Adapt) -> Result<(), TypeError> {
    let (axis, broadcast) = (node.attrs.remove("axis"), node.attrs.remove("broadcast"));
    let (Some(AttrValue::Int(axis)), Some(AttrValue::Int(1))) = (axis, broadcast) else {
        return Ok(());
    };
    let (Some(a), Some(b)) = (node.ty(0), node.ty(1)) else {
        return Ok(());
    };
    let first = if axis < 0 {
        axis.saturating_add(a.rank() as i64)
    } else {
        axis
    };
    let behind = usize::try_from(first)
        .ok()
        .and_then(|f| a.rank().checked_sub(b.rank())?.checked_sub(f));
    let behind = behind.ok_or_else(|| {
        node.error(format!(
            "attribute axis is {axis}, which does not fit operands {a} and {b}"
        ))
    })?;
    node.append_axes(1, behind);
    Ok(())
}

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
        attrs: if since < 7 { BROADCAST } else { &[] },
        infer: |cx| cx.infer_broadcast(),
        semantics,
        adapt: if since < 7 { Some(align) } else { None },
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
        attrs: &[],
        adapt: None,
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
