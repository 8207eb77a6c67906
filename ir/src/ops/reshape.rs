//! Reshape: the same elements in row-major order under another shape; 0 copies a dimension (unless `allowzero`), one -1 is
//! inferred. <https://onnx.ai/onnx/operators/onnx__Reshape.html>
//!
//! A symbolic dimension passes where 0 copies it, or becomes the -1 where all other elements are accounted for.

use crate::attrs::AttrKind;
use crate::class::{Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{Dim, TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "Reshape",
    inputs: &[Input::new("data", "T"), Input::new("shape", "i64").since(5)],
    outputs: &[Output::new("reshaped", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::new("shape", AttrKind::Ints, Preset::Absent)
            .until(4)
            .becomes_input(1),
        Attr::int("allowzero", 0).since(14),
    ],
    infer: |cx| Ok(vec![TensorType::new(cx.dtype(0)?, target(cx)?)]),
    semantics: |_| Ok(Semantics::Movement(Movement::Reshape)),
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<Vec<Dim>, TypeError> {
    let x = cx.ty(0)?;
    let wanted = cx.constant(1)?;
    if wanted.shape().len() > 1 {
        return Err(cx.error(format!(
            "the shape must be one-dimensional, is {}",
            wanted.ty()
        )));
    }
    let wanted = wanted.to_i64();
    let mut free: Vec<&Dim> = x.shape.iter().filter(|d| d.fixed().is_none()).collect();
    let mut hole = None;
    let mut out = Vec::with_capacity(wanted.len());
    for (i, &d) in wanted.iter().enumerate() {
        if d == -1 && hole.replace(i).is_some() {
            return Err(cx.error(format!("shape {wanted:?} has more than one -1")));
        }
        out.push(dimension(cx, i, d)?);
        if let Some(used) = free.iter().position(|&f| *f == out[i]) {
            free.remove(used);
        }
    }
    let (from, known) = (elements(cx, &x.shape)?, elements(cx, &out)?);
    match (hole, &free[..]) {
        (Some(i), []) if known > 0 && from.is_multiple_of(known) => {
            out[i] = Dim::from(from / known);
        }
        (Some(i), [symbol]) if known == from => out[i] = (*symbol).clone(),
        (None, []) if known == from => {}
        (_, [symbol, ..]) => {
            return Err(TypeError::NeedsFixed {
                op: cx.def.name,
                input: 0,
                dim: symbol.to_string(),
            });
        }
        _ => {
            return Err(cx.error(format!(
                "shape {wanted:?} does not hold the {from} elements of {x}"
            )));
        }
    }
    Ok(out)
}

/// Entry `i` of the wanted shape; a -1 counts as 1 until it is inferred.
fn dimension(cx: &Cx, i: usize, wanted: i64) -> Result<Dim, TypeError> {
    match u64::try_from(wanted) {
        Ok(0) if !cx.flag("allowzero")? => {
            let x = cx.ty(0)?;
            x.shape.get(i).cloned().ok_or_else(|| {
                cx.error(format!("the shape copies dimension {i}, which {x} has not"))
            })
        }
        Ok(d) => Ok(Dim::Fixed(d)),
        Err(_) if wanted == -1 => Ok(Dim::Fixed(1)),
        Err(_) => Err(cx.error(format!("the shape has a negative dimension {wanted}"))),
    }
}

/// Product of the known dimensions.
fn elements(cx: &Cx, shape: &[Dim]) -> Result<usize, TypeError> {
    let known = shape.iter().filter_map(Dim::fixed);
    known
        .map(|d| usize::try_from(d).ok())
        .collect::<Option<Vec<_>>>()
        .and_then(|dims| element_count(&dims))
        .ok_or_else(|| cx.error("element count overflows"))
}

#[cfg(test)]
mod tests {
    use crate::graph::Graph;
    use crate::ops::OpKind;
    use crate::tensor::Tensor;
    use crate::types::{DType, Dim, TensorType};

    /// `input` reshaped to `shape`: the result's type or the error.
    fn reshaped(input: &[Dim], shape: &[i64]) -> String {
        let mut g = Graph::new("t");
        let x = g.add_input("x", TensorType::new(DType::F32, input.iter().cloned()));
        let shape = g.add_constant("shape", Tensor::ints(shape));
        match g.op(OpKind::Reshape, &[x, shape], Default::default()) {
            Ok(y) => g.ty(y).to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn one_dimension_is_inferred_and_zeros_copy() {
        let x = [2, 3, 4].map(Dim::Fixed);
        assert_eq!(reshaped(&x, &[0, -1]), "f32[2,12]");
        assert_eq!(reshaped(&x, &[4, 0, 2]), "f32[4,3,2]");
        insta::assert_snapshot!(reshaped(&x, &[5, -1]), @"Reshape: shape [5, -1] does not hold the 24 elements of f32[2,3,4]");
        insta::assert_snapshot!(reshaped(&x, &[-1, -1]), @"Reshape: shape [-1, -1] has more than one -1");
        insta::assert_snapshot!(reshaped(&x, &[-2, 12]), @"Reshape: the shape has a negative dimension -2");
        insta::assert_snapshot!(reshaped(&x, &[2, 3, 4, 0]), @"Reshape: the shape copies dimension 3, which f32[2,3,4] has not");
    }

    #[test]
    fn a_symbol_passes_where_the_rest_is_accounted_for() {
        let x = [Dim::sym("n", Some(9)), Dim::Fixed(6)];
        assert_eq!(reshaped(&x, &[-1, 3, 2]), "f32[n<=9,3,2]");
        assert_eq!(reshaped(&x, &[0, -1]), "f32[n<=9,6]");
        insta::assert_snapshot!(reshaped(&x, &[-1, 4]), @"Reshape: dimension 'n<=9' of input 0 must be known at compile time");
        insta::assert_snapshot!(reshaped(&x, &[12]), @"Reshape: dimension 'n<=9' of input 0 must be known at compile time");
    }
}
