//! [NonZero](https://onnx.ai/onnx/operators/onnx__NonZero.html).

use crate::wire::wire_struct;

/// The coordinates of elements that are not zero: i64 `[rank, count]`; `count` is written to the output's slot.
#[derive(Clone, Debug, PartialEq)]
pub struct NonZero;

wire_struct!(NonZero {});
