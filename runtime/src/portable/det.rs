//! [Det](https://onnx.ai/onnx/operators/onnx__Det.html).

use crate::wire::wire_struct;

/// The determinant of each matrix of `[.., n, n]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Det;

wire_struct!(Det {});
