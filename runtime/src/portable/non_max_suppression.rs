//! [NonMaxSuppression](https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html).

use crate::wire::wire_struct;

/// Boxes that survive, by class and falling score, as i64 `[count, 3]` of (batch, class, box). Inputs: boxes
/// `[batch, boxes, 4]`, scores `[batch, classes, boxes]`, and as optional scalars the most boxes a class (i64, default 0), the IoU
/// threshold (f32, default 0) and the score threshold (f32, default: none).
#[derive(Clone, Debug, PartialEq)]
pub struct NonMaxSuppression {
    /// Boxes are (x centre, y centre, width, height) rather than (y1, x1, y2, x2) of two opposite corners.
    pub center_point_box: bool,
}

wire_struct!(NonMaxSuppression { center_point_box });
