//! [ReverseSequence](https://onnx.ai/onnx/operators/onnx__ReverseSequence.html).

use crate::wire::wire_struct;

/// Reverses the first `lens[b]` elements along the time axis of batch entry `b`. Inputs: data, lens (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct ReverseSequence {
    pub batch_axis: u32,
    pub time_axis: u32,
}

wire_struct!(ReverseSequence {
    batch_axis,
    time_axis
});
