//! Det: the determinant of the matrices in the last two axes. <https://onnx.ai/onnx/operators/onnx__Det.html>

use crate::class::{Index, Semantics};
use crate::ops::mat_mul::may_equal;
use crate::schema::{Input, OpDef, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "Det",
    since: 11,
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    infer: |cx| {
        let x = cx.ty(0)?;
        match &x.shape[..] {
            [lead @ .., m, n] if may_equal(m, n) => {
                Ok(vec![TensorType::new(x.dtype, lead.iter().cloned())])
            }
            _ => Err(cx.error(format!("the input must hold square matrices, is {x}"))),
        }
    },
    semantics: |_| Ok(Semantics::Index(Index::Det)),
    ..OpDef::NEW
};
