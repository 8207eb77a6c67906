//! [CumSum](https://onnx.ai/onnx/operators/onnx__CumSum.html) and [CumProd](https://onnx.ai/onnx/operators/onnx__CumProd.html).

use crate::wire::wire_struct;

/// Running sums (or products) of one input along `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cumulative {
    pub axis: u32,
    /// Leave the element itself out.
    pub exclusive: bool,
    /// From the end.
    pub reverse: bool,
    /// Multiply instead of adding.
    pub product: bool,
}

wire_struct!(Cumulative {
    axis,
    exclusive,
    reverse,
    product
});
