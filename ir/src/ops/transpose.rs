//! Transpose: `y.shape[i] = x.shape[perm[i]]`; without `perm` the axes are reversed.
//! <https://onnx.ai/onnx/operators/onnx__Transpose.html>

use crate::class::{AxisMap, Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "Transpose",
    inputs: &[Input::new("data", "T")],
    outputs: &[Output::new("transposed", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::ints("perm")],
    infer: |cx| {
        let x = cx.ty(0)?;
        let shape = permutation(cx)?.into_iter().map(|p| x.shape[p].clone());
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| {
        let perm = permutation(cx)?;
        let mut axes = vec![AxisMap::same(0); perm.len()];
        for (out, &input) in perm.iter().enumerate() {
            axes[input] = AxisMap::same(out);
        }
        Ok(Semantics::Movement(Movement::View { axes, fill: None }))
    },
    ..OpDef::NEW
};

fn permutation(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let rank = cx.rank(0)?;
    let Some(perm) = cx.opt_ints("perm") else { return Ok((0..rank).rev().collect()) };
    let axes = perm.iter().map(|&p| cx.normalize_axis(p, rank)).collect::<Result<Vec<_>, _>>()?;
    if axes.len() != rank || (0..rank).any(|a| !axes.contains(&a)) {
        return Err(cx.attr_error("perm", format!("must be a permutation of {rank} axes, got {perm:?}")));
    }
    Ok(axes)
}
