//! What Loop and Scan share: writing a body whose number of rounds is known one round after the other.

use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::{Concat, Unsqueeze};
use crate::schema::{Cx, TypeError};
use crate::tensor::Tensor;
use crate::types::TensorType;

/// Most nodes that rounds may be written out to.
const MAX_NODES: usize = 200_000;

/// Checks that `rounds` copies of the body are not too many.
pub fn check_size(cx: &Cx, rounds: usize, body: usize) -> Result<(), TypeError> {
    match rounds.checked_mul(body.max(1)) {
        Some(n) if n <= MAX_NODES => Ok(()),
        _ => Err(cx.unsupported(format!(
            "{rounds} rounds of a body of {body} nodes, which would have to be written out"
        ))),
    }
}

/// Values of all rounds, each of type `ty`, one after the other along a new axis.
pub fn stack(
    c: &mut Composer,
    values: &[Value],
    ty: &TensorType,
    axis: usize,
) -> Result<Value, TypeError> {
    if values.is_empty() {
        let mut shape: Vec<usize> = ty
            .shape
            .iter()
            .map(|d| d.fixed().unwrap_or(0) as usize)
            .collect();
        shape.insert(axis, 0);
        return Ok(c.constant(Tensor::from_i64(ty.dtype, &shape, &[])));
    }
    let axis = axis as i64;
    let axes = c.ints(&[axis]);
    let slices = values
        .iter()
        .map(|&v| c.op(Unsqueeze, &[v, axes]))
        .collect::<Result<Vec<_>, _>>()?;
    c.with(Concat, &slices, [("axis", AttrValue::Int(axis))])
}
