//! Flatten: axes before `axis` become one dimension, the others a second. <https://onnx.ai/onnx/operators/onnx__Flatten.html>

use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Flatten",
    inputs: &[Input::new("input", "T")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::int("axis", 1)],
    infer: |cx| {
        let x = cx.ty(0)?;
        let axis = axis(cx)?;
        let shape = [
            product(cx, &x.shape[..axis])?,
            product(cx, &x.shape[axis..])?,
        ];
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};

/// `axis` may equal the rank: then the second dimension is 1.
fn axis(cx: &Cx) -> Result<usize, TypeError> {
    let (axis, rank) = (cx.int("axis")?, cx.rank(0)?);
    if axis == rank as i64 {
        return Ok(rank);
    }
    cx.axis("axis", rank)
}

/// The number of elements along some dimensions; at most one may be a symbol, and only beside ones.
fn product(cx: &Cx, dims: &[Dim]) -> Result<Dim, TypeError> {
    let mut symbol = None;
    let mut known: u64 = 1;
    for d in dims {
        match d {
            Dim::Fixed(n) => {
                known = known
                    .checked_mul(*n)
                    .ok_or_else(|| cx.error("the size of the output overflows"))?;
            }
            Dim::Sym { .. } if symbol.is_none() => symbol = Some(d),
            Dim::Sym { .. } => return Err(unknown(cx, d)),
        }
    }
    match symbol {
        None => Ok(Dim::Fixed(known)),
        Some(d) if known == 1 => Ok(d.clone()),
        Some(d) => Err(unknown(cx, d)),
    }
}

fn unknown(cx: &Cx, dim: &Dim) -> TypeError {
    TypeError::NeedsFixed {
        op: cx.def.name,
        input: 0,
        dim: dim.to_string(),
    }
}
