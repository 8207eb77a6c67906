//! Size: the number of elements as an i64 scalar, known at compile time. <https://onnx.ai/onnx/operators/onnx__Size.html>

use crate::compose::Composer;
use crate::schema::{Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "Size",
    inputs: &[Input::new("data", "T")],
    outputs: &[Output::new("size", "i64")],
    types: &[("T", sets::ALL)],
    infer: |cx| {
        elements(cx)?;
        Ok(vec![TensorType::scalar(DType::I64)])
    },
    semantics: |cx| {
        let elements = elements(cx)?;
        let mut c = Composer::new(cx);
        let size = c.constant(Tensor::scalar_i64(DType::I64, elements as i64));
        c.finish(&[size])
    },
    ..OpDef::NEW
};

fn elements(cx: &Cx) -> Result<usize, TypeError> {
    element_count(&cx.shape(0)?).ok_or_else(|| cx.error("element count overflows"))
}
