//! [ScatterElements](https://onnx.ai/onnx/operators/onnx__ScatterElements.html) and
//! [ScatterND](https://onnx.ai/onnx/operators/onnx__ScatterND.html): a copy of data with elements replaced by index.

use crate::wire::{wire_enum, wire_struct};

/// What becomes of an element that is hit. Duplicate hits apply in row-major order of the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The update replaces it.
    None,
    Add,
    Mul,
    Max,
    Min,
}

wire_enum!(Reduction "reduction" { 0 => None, 1 => Add, 2 => Mul, 3 => Max, 4 => Min });

/// Single elements. Inputs: data, indices (i32 or i64), updates.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterElements {
    pub axis: u32,
    pub reduction: Reduction,
}

/// Slices by coordinates, the last axis of indices. Inputs: data, indices (i64), updates.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterNd {
    pub reduction: Reduction,
}

wire_struct!(ScatterElements { axis, reduction });
wire_struct!(ScatterNd { reduction });
