//! Tile: `y[o] = x[o mod shape]`, axis `a` repeated `repeats[a]` times. <https://onnx.ai/onnx/operators/onnx__Tile.html>
//!
//! A repeated axis `[d]` is viewed as `[1, d]`, expanded to `[r, d]` and merged to `[r * d]`.

use crate::compose::Composer;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Tile",
    since: 6,
    inputs: &[Input::new("input", "T"), Input::new("repeats", "i64")],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    infer,
    semantics: |cx| {
        let (shape, repeats) = (cx.shape(0)?, repeats(cx)?);
        let (mut split, mut repeated, mut merged) = (vec![], vec![], vec![]);
        for (&d, &r) in shape.iter().zip(&repeats) {
            if r != 1 && d != 1 {
                split.push(1);
                repeated.push(r as usize);
            }
            split.push(d);
            repeated.push(if d == 1 { r as usize } else { d });
            merged.push(d * r as usize);
        }
        let mut c = Composer::new(cx);
        let x = c.reshape(c.arg(0), &split)?;
        let y = c.expand(x, &repeated)?;
        let y = c.reshape(y, &merged)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn repeats(cx: &Cx) -> Result<Vec<u64>, TypeError> {
    let repeats = cx.constant(1)?.to_i64();
    if repeats.len() != cx.rank(0)? {
        return Err(cx.error(format!("repeats {repeats:?} for input {}", cx.ty(0)?)));
    }
    repeats
        .iter()
        .map(|&r| u64::try_from(r))
        .collect::<Result<_, _>>()
        .map_err(|_| cx.error(format!("repeats {repeats:?} have a negative one")))
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let shape = cx.shape(0)?;
    let mut tiled = Vec::with_capacity(shape.len());
    for (d, r) in shape.into_iter().zip(repeats(cx)?) {
        let extent = (d as u64).checked_mul(r);
        tiled.push(Dim::Fixed(extent.ok_or_else(|| {
            cx.error(format!("size overflows: {d} repeated {r} times"))
        })?));
    }
    Ok(vec![TensorType::new(cx.dtype(0)?, tiled)])
}
