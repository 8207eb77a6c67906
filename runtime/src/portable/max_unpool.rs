//! [MaxUnpool](https://onnx.ai/onnx/operators/onnx__MaxUnpool.html).

use crate::wire::wire_struct;

/// Values at the places their maxima came from, zero elsewhere. Inputs: data, indices (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct MaxUnpool {
    /// The shape in which indices are flat positions; an element goes to the same coordinates of the output.
    pub index_shape: Vec<u64>,
}

wire_struct!(MaxUnpool { index_shape });
