//! [TopK](https://onnx.ai/onnx/operators/onnx__TopK.html).

use crate::wire::wire_struct;

/// The `k` largest or smallest along `axis`. Inputs: data, optionally k (one i64); without it, k is the output's extent. Outputs:
/// values, indices (i64). Among equals the lower index wins; NaN counts as the largest.
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    pub axis: u32,
    pub largest: bool,
    /// Without it any order would do; this kernel sorts always.
    pub sorted: bool,
}

wire_struct!(TopK {
    axis,
    largest,
    sorted
});
