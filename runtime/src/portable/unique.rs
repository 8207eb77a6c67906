//! [Unique](https://onnx.ai/onnx/operators/onnx__Unique.html).

use crate::wire::wire_struct;

/// The different slices along `axis` (or elements of the flattened input), ascending or in order of first occurrence.
/// Outputs, all optional: values, indices of first occurrences, inverse indices, counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique {
    pub axis: Option<u32>,
    pub sorted: bool,
}

wire_struct!(Unique { axis, sorted });
