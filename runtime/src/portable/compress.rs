//! [Compress](https://onnx.ai/onnx/operators/onnx__Compress.html).

use crate::wire::wire_struct;

/// The slices along `axis` (or elements of the flattened input) whose condition holds. Inputs: data, condition (bool, rank 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Compress {
    pub axis: Option<u32>,
}

wire_struct!(Compress { axis });
