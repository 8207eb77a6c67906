//! [RoiAlign](https://onnx.ai/onnx/operators/onnx__RoiAlign.html).

use crate::wire::{wire_enum, wire_struct};

/// How samples of a bin become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoiPooling {
    Average,
    /// The largest of the weighted neighbours of all samples.
    Max,
}

wire_enum!(RoiPooling "pooling" { 0 => Average, 1 => Max });

/// Bilinear samples of regions. Inputs: data `[n, c, h, w]`, regions `[r, 4]` as (x1, y1, x2, y2), image numbers `[r]` (i64).
/// The output's last two extents are the number of bins.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiAlign {
    pub pooling: RoiPooling,
    /// Shift coordinates by half a pixel (`half_pixel`), else not (`output_half_pixel`).
    pub half_pixel: bool,
    /// Samples a bin and axis; 0 adapts it to the region's size.
    pub sampling_ratio: u32,
    pub spatial_scale: f32,
}

wire_struct!(RoiAlign {
    pooling,
    half_pixel,
    sampling_ratio,
    spatial_scale
});
