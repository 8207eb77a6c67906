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
/// As for [`blocking`], or if an offset does not fit a tile's constants.
pub fn plan(conv: &ConvGeometry, target: Target) -> Result<Plan, PlanError> {
    blocking(conv, target)?.plan()
}

/// Such a convolution, to be cut into tiles.
///
/// # Errors
/// If it is no such convolution, or if channels do not lie side by side.
pub fn blocking(conv: &ConvGeometry, target: Target) -> Result<Blocking, PlanError> {
    let padded =
        conv.input_placement.block > 1 && conv.output_placement.block == conv.input_placement.block;
    let weights = Weights::Packed {
        channel_stride: conv.window_len(),
    };
    channelwise(conv, weights, padded, target)
}

/// Plans the product of every channel with a number of its own, and the sum with another (`conv.bias`). Both vectors of
/// `channels` are read in place, not beyond their ends.
///
/// # Errors
/// If the window has more than one tap, or as for [`plan`].
pub fn plan_scale(conv: &ConvGeometry, target: Target) -> Result<Plan, PlanError> {
    if conv.window_len() != 1 {
        let found = conv.window_len();
        return Err(PlanError::geometry("the taps of a scale", 1, found));
    }
    channelwise(conv, Weights::InPlace { row: 0 }, false, target)?.plan()
}

fn channelwise(
    conv: &ConvGeometry,
    weights: Weights,
    padded: bool,
    target: Target,
) -> Result<Blocking, PlanError> {
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
    Ok(Blocking {
        segments: vec![Segment {
            input: 0,
            filter: 0,
            axes: conv.window_axes().to_vec(),
        }],
        weights,
        channels: vec![ChannelRange {
            first: 0,
            count: channels,
            filter: 0,
            input: 0,
            output: 0,
            padded,
        }],
        ..conv.blocking(Source::Lanes, target)?
    })
}
