//! Depthwise convolution: every channel has its own filter, so lanes are channels of input and output alike.
//!
//! The lanes behind the last channel of a blocked layout compute on unspecified values with zero weights and are
//! unspecified themselves.

use super::blocking::{Blocking, ChannelRange, Weights};
use super::conv::{ConvGeometry, side_by_side};
use super::plan::{Plan, PlanError};
use super::reduction::Segment;
use super::tile::{Source, Target};

/// Plans a convolution whose groups have one input and one output channel; weights are packed from `[channels, 1, kh, kw]`.
///
/// # Errors
/// If it is no such convolution, or if channels do not lie side by side.
pub fn plan(conv: &ConvGeometry, target: Target) -> Result<Plan, PlanError> {
    let channels = conv.groups;
    for (what, found) in [
        ("input channels", conv.in_channels),
        ("output channels", conv.out_channels),
    ] {
        if found != channels || channels == 0 {
            return Err(PlanError::geometry(
                what,
                format!("one for each of {channels} groups"),
                found,
            ));
        }
    }
    side_by_side(&conv.input_placement, channels)?;
    side_by_side(&conv.output_placement, channels)?;
    let padded =
        conv.input_placement.block > 1 && conv.output_placement.block == conv.input_placement.block;
    let blocking = Blocking {
        segments: vec![Segment {
            input: 0,
            filter: 0,
            axes: conv.window_axes().to_vec(),
        }],
        weights: Weights::Packed {
            channel_stride: conv.window_len(),
        },
        channels: vec![ChannelRange {
            first: 0,
            count: channels,
            filter: 0,
            input: 0,
            output: 0,
            padded,
        }],
        ..conv.blocking(Source::Lanes, target)?
    };
    blocking.plan()
}
