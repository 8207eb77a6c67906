//! EyeLike: 1 where `column - row = k`, else 0, in the shape of the input. <https://onnx.ai/onnx/operators/onnx__EyeLike.html>

use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::expr::Ex;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "EyeLike",
    since: 9,
    inputs: &[Input::new("input", "T1")],
    outputs: &[Output::new("output", "T2")],
    types: &[("T1", sets::ALL), ("T2", sets::ALL)],
    attrs: &[
        Attr::new("dtype", AttrKind::DType, Preset::Absent),
        Attr::int("k", 0),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        if x.rank() != 2 {
            return Err(cx.error(format!("the input must have rank 2, is {x}")));
        }
        Ok(vec![TensorType::new(dtype(cx)?, x.shape.iter().cloned())])
    },
    semantics: |cx| {
        let dtype = dtype(cx)?;
        let diagonal = Ex::index(1) - Ex::index(0);
        let on = diagonal.eq(&Ex::int(DType::I64, cx.int("k")?));
        let eye = on.select(&Ex::int(dtype, 1), &Ex::int(dtype, 0));
        Ok(Semantics::Elementwise(eye.finish()))
    },
    ..OpDef::NEW
};

fn dtype(cx: &Cx) -> Result<DType, TypeError> {
    match cx.dtype_attr("dtype") {
        Some(dtype) => Ok(dtype),
        None => cx.dtype(0),
    }
}
