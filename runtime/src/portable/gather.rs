//! [Gather](https://onnx.ai/onnx/operators/onnx__Gather.html),
//! [GatherElements](https://onnx.ai/onnx/operators/onnx__GatherElements.html) and
//! [GatherND](https://onnx.ai/onnx/operators/onnx__GatherND.html): elements picked by index.

use crate::wire::wire_struct;

/// Whole slices: `output[a.., i.., b..] = data[a.., indices[i..], b..]`. Inputs: data, indices (i32 or i64).
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    pub axis: u32,
}

/// Single elements: `output[a, i, b] = data[a, indices[a, i, b], b]`. Inputs: data, indices (i32 or i64).
#[derive(Clone, Debug, PartialEq)]
pub struct GatherElements {
    pub axis: u32,
}

/// Slices by coordinates, the last axis of indices. Inputs: data, indices (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct GatherNd {
    pub batch_dims: u32,
}

wire_struct!(Gather { axis });
wire_struct!(GatherElements { axis });
wire_struct!(GatherNd { batch_dims });
