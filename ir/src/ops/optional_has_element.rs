//! OptionalHasElement: whether the operand is there. A tensor always is.
//! <https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html>

use crate::compose::Composer;
use crate::schema::{Input, OpDef, Output};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

pub static DEF: OpDef = OpDef {
    name: "OptionalHasElement",
    since: 15,
    inputs: &[Input::new("input", "").optional()],
    outputs: &[Output::new("output", "bool")],
    infer: |_| Ok(vec![TensorType::scalar(DType::Bool)]),
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let y = c.constant(Tensor::scalar_i64(DType::Bool, cx.has(0).into()));
        c.finish(&[y])
    },
    ..OpDef::NEW
};
