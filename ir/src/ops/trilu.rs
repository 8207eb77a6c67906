//! Trilu: keeps the upper (`column - row >= k`) or lower (`<= k`) triangle of the last two axes, 0 elsewhere.
//! <https://onnx.ai/onnx/operators/onnx__Trilu.html>

use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Input, OpDef, Output, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Trilu",
    since: 14,
    inputs: &[Input::new("input", "T"), Input::new("k", "i64").optional()],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[Attr::int("upper", 1)],
    infer: |cx| {
        let x = cx.ty(0)?;
        if x.rank() < 2 {
            return Err(cx.error(format!("the input must have rank 2 or more, is {x}")));
        }
        if cx.get(1).is_some_and(|k| k.ty.elements() != Some(1)) {
            return Err(cx.error(format!("k must be a scalar, is {}", cx.ty(1)?)));
        }
        Ok(vec![TensorType::new(x.dtype, x.shape.iter().cloned())])
    },
    semantics: |cx| {
        let (x, rank) = (Ex::arg(0, cx.dtype(0)?), cx.rank(0)?);
        let diagonal = Ex::index(rank - 1) - Ex::index(rank - 2);
        let k = match cx.has(1) {
            true => Ex::arg(1, DType::I64),
            false => Ex::int(DType::I64, 0),
        };
        let keep = match cx.flag("upper")? {
            true => k.le(&diagonal),
            false => diagonal.le(&k),
        };
        Ok(Semantics::Elementwise(
            keep.select(&x, &x.lit(0.0)).finish(),
        ))
    },
    ..OpDef::NEW
};
