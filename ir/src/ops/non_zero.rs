//! NonZero: the coordinates of the elements that are not zero, `y[axis, n]`, in row-major order.
//! <https://onnx.ai/onnx/operators/onnx__NonZero.html>

use crate::class::{Index, Semantics};
use crate::schema::{Input, OpDef, Output, sets};
use crate::types::{DType, Dim, TensorType, element_count};

pub static DEF: OpDef = OpDef {
    name: "NonZero",
    since: 9,
    inputs: &[Input::new("X", "T")],
    outputs: &[Output::new("Y", "i64")],
    types: &[("T", sets::ALL)],
    infer: |cx| {
        let x = cx.ty(0)?;
        if x.rank() == 0 {
            return Err(cx.unsupported("a scalar input"));
        }
        let upper = x.upper_shape().and_then(|s| element_count(&s));
        let found = cx.data_extent(upper.map(|n| n as u64));
        Ok(vec![TensorType::new(
            DType::I64,
            [Dim::from(x.rank()), found],
        )])
    },
    semantics: |_| Ok(Semantics::Index(Index::NonZero)),
    ..OpDef::NEW
};
