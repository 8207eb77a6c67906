//! SwiGLU: `y = a / (1 + e^(-alpha a)) * b`, operands of one shape. Shazeer, arXiv:2002.05202;
//! <https://onnx.ai/onnx/operators/onnx__SwiGLU.html>

use super::elementwise::{binary, map2};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[Attr::float("alpha", 1.0)],
    infer: |cx| {
        let (a, b) = (cx.ty(0)?, cx.ty(1)?);
        if a.shape != b.shape {
            return Err(cx.error(format!("operands must have one shape, are {a} and {b}")));
        }
        cx.same_as(0)
    },
    ..binary("SwiGLU", 28, &[("T", sets::FLOAT)], |cx| {
        let alpha = cx.float("alpha")?;
        map2(cx, |a, b| a * &(a * alpha).sigmoid() * b)
    })
};
