//! Pooling of channels that lie side by side: lanes are channels, and no weights are read.
//!
//! `y[n, c, i, j] = max or mean of x[n, c, i*s - p + kh*d, j*s - p + kw*d] over kh, kw` (ONNX MaxPool, AveragePool). The output is
//! cut into regions whose tiles leave out the taps in the padding; a halo is never read, since zeros would win. Sums are those
//! of f32. Deliberately absent: positions of maxima and norms, which are loop nests.

use super::blocking::{Blocking, ChannelRange, Weights};
use super::conv::{ConvGeometry, side_by_side};
use super::placement::Placement;
use super::plan::{Plan, PlanError};
use super::reduction::{Axis, CHUNK, Segment, UNROLL, chunked};
use super::tile::{Init, Nest, Pool, Source, Step, Target};

/// Most regions that clip the window differently: each has tiles of its own.
const REGIONS: usize = 256;

/// What a window gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The greatest element, `-inf` if there is none.
    Max,
    /// The sum.
    Sum,
    /// The mean of the elements inside the input.
    Mean,
    /// The sum divided by the size of the window.
    MeanOfWindow,
}

/// Plans a pool; `conv` has one group a channel, and neither bias nor weights.
///
/// # Errors
/// If the geometry is inconsistent, if channels do not lie side by side, or if clipped windows are so large that every place
/// needs code of its own.
pub fn plan(conv: &ConvGeometry, pooling: Pooling, target: Target) -> Result<Plan, PlanError> {
    conv.check()?;
    let channels = conv.out_channels;
    if conv.in_channels != channels {
        let expected = format!("{channels}, as many as come out");
        return Err(PlanError::geometry(
            "input channels",
            expected,
            conv.in_channels,
        ));
    }
    side_by_side(&conv.input_placement, channels)?;
    side_by_side(&conv.output_placement, channels)?;
    let [input_block, output_block] = [conv.input_placement.block, conv.output_placement.block];
    let conv = ConvGeometry {
        input_placement: Placement {
            halo: [0; 4],
            ..conv.input_placement
        },
        ..conv.clone()
    };
    let (source, init) = match pooling {
        Pooling::Max => (Pool::Max, Init::Lowest),
        Pooling::Sum | Pooling::Mean | Pooling::MeanOfWindow => (Pool::Sum, Init::Zero),
    };
    check_clipping(&conv)?;
    let common = conv.blocking(Source::Pool(source), target)?;
    let blocking = Blocking {
        init,
        segments: segments(&conv),
        // Never read.
        weights: Weights::InPlace { row: 0 },
        channels: vec![ChannelRange {
            first: 0,
            count: channels,
            filter: 0,
            input: 0,
            output: 0,
            padded: input_block > 1 && input_block == output_block,
        }],
        ..common
    };
    let mut plan = blocking.plan()?;
    for tile in &mut plan.tiles {
        let cells = match pooling {
            Pooling::Max | Pooling::Sum => continue,
            Pooling::Mean => tile.reduction.iter().map(Nest::elements).sum(),
            Pooling::MeanOfWindow => conv.window_len() as u64,
        };
        let scale = Step::Scale((1.0 / cells as f32).into());
        tile.epilogue.insert(0, scale);
    }
    Ok(plan)
}

/// Refuses windows that are clipped in so many ways, or are so wide, that the code for them would be large.
fn check_clipping(conv: &ConvGeometry) -> Result<(), PlanError> {
    let output = conv.output()?;
    let strips = [0, 1].map(|axis| conv.strips(axis, output[axis]));
    let whole = |axis: usize| {
        let taps = 0..conv.kernel[axis];
        strips[axis].iter().all(|strip| strip.1 == taps)
    };
    let regions = strips[0].len() * strips[1].len();
    if whole(0) && whole(1) || regions <= REGIONS && conv.kernel[1] <= UNROLL {
        return Ok(());
    }
    Err(PlanError::geometry(
        "the number of regions that clip a window",
        format!("at most {REGIONS}, none for windows wider than {UNROLL}"),
        regions,
    ))
}

/// The window's rows and columns; long rows, which nothing clips, are walked in chunks.
fn segments(conv: &ConvGeometry) -> Vec<Segment> {
    let [columns, rows] = conv.window_axes();
    if columns.count > UNROLL {
        let free = |axis: Axis| Axis::channel(axis.count, axis.input, 0);
        let stride = columns.input * CHUNK as i64;
        return chunked(free(columns), stride, CHUNK, &[free(rows)]);
    }
    vec![Segment {
        input: 0,
        filter: 0,
        axes: vec![columns, rows],
    }]
}
