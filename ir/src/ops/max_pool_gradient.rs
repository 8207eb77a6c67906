//! MaxPoolGradient: the gradient of MaxPool with respect to its input. The first of the greatest elements of a window gets the
//! window's gradient; an element that wins several windows gets their sum: `dx[i] = sum_{o: i = argmax window o} dy[o]`.

use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::ops::{max_pool, pooling};
use crate::schema::{CNNC, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "MaxPoolGradient",
    domain: CNNC,
    inputs: &[Input::new("X", "T"), Input::new("DY", "T")],
    outputs: &[Output::new("DX", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &max_pool::ATTRS,
    infer: |cx| {
        check(cx, &pooling::infer(cx)?)?;
        Ok(vec![cx.ty(0)?.clone()])
    },
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let (x, dy) = (c.arg(0), c.arg(1));
        let shape = c.ty(x).fixed_shape().unwrap_or_default();
        let (all, windows): (usize, usize) = (
            shape.iter().product(),
            c.ty(dy).elements().unwrap_or_default(),
        );
        let indices = c.multi(OpKind::MaxPoolIndices, vec![Some(x)], cx.attrs.clone(), 1)?[0];
        let (indices, dy) = (c.reshape(indices, &[windows])?, c.reshape(dy, &[windows])?);
        let zero = c.scalar(cx.dtype(0)?, 0.0);
        let zeros = c.expand(zero, &[all])?;
        let add = ("reduction", AttrValue::Str("add".to_string()));
        let flat = c.with(OpKind::ScatterElements, &[zeros, indices, dy], [add])?;
        let dx = c.reshape(flat, &shape)?;
        c.finish(&[dx])
    },
    ..OpDef::NEW
};

/// Checks that the gradient, input 1, has the shape of the pool's result.
pub fn check(cx: &Cx, pooled: &TensorType) -> Result<(), TypeError> {
    let dy = cx.ty(1)?;
    if dy.shape != pooled.shape || !pooled.is_fixed() {
        return Err(cx.error(format!(
            "the gradient of the output must have the shape of the output, {pooled}, is {dy}"
        )));
    }
    Ok(())
}
