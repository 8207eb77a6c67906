//! How tall a chain's strips are, and whether a chain is worth it: estimated cycles.

use super::{BLOCK, Kind, Stage};
use crate::kernel::plan::PlanError;
use crate::kernel::tile::Target;
use std::ops::Range;

/// Bytes of a strip that stay in a core's own cache.
const STRIP: usize = 512 << 10;

/// Bytes of a value that still lie in a core's own cache when the next operator reads it.
const RESIDENT: f64 = 384e3;

/// Channels of a bundle.
const BUNDLE: usize = 2 * BLOCK;

/// Vector multiply-adds a cycle.
const MULTIPLY_ADDS: f64 = 2.0;

/// Bytes a cycle between a core and the cache that cores share: read, and written, which also reads.
const READ: f64 = 16.0;
const WRITTEN: f64 = 8.0;

/// What strips cost a stage beside rows that are computed twice: shorter runs of equal calls, weights read again.
const STRIPS: f64 = 0.04;

/// The rows of the last result, strip by strip, so that a strip fits the cache and threads get the same number of them.
pub(super) fn strips(stages: &[Stage], threads: usize) -> Result<Vec<Range<usize>>, PlanError> {
    let conv = &stages[stages.len() - 1].conv;
    let height = conv.output()?[0];
    let most = (1..=height)
        .take_while(|&rows| bytes(stages, 0..rows) <= STRIP)
        .last()
        .unwrap_or(1);
    let mut count = height.div_ceil(most);
    if conv.batch < threads {
        count = count.next_multiple_of(threads).min(height);
    }
    Ok((0..count)
        .map(|i| i * height / count..(i + 1) * height / count)
        .collect())
}

/// Bytes that the strip of `rows` works with.
fn bytes(stages: &[Stage], rows: Range<usize>) -> usize {
    let mut wanted = rows;
    let mut bytes = 0;
    for (k, stage) in stages.iter().enumerate().rev() {
        let rows = stage.needs(wanted).0;
        // A bundle at a time where it continues a link.
        let channels = match k > 0 && stage.is_lane_by_lane() {
            true => stage.conv.in_channels.min(BUNDLE),
            false => stage.conv.in_channels,
        };
        let block = stage.conv.input_placement.block.clamp(1, BLOCK);
        let pixels = rows.len() * stage.conv.input[1];
        bytes += channels.next_multiple_of(block) * pixels * size_of::<f32>();
        wanted = rows;
    }
    bytes
}

/// Cycles that a chain is estimated to save against its stages one by one; negative if it costs some.
pub fn gain(stages: &[Stage], target: Target, threads: usize) -> f64 {
    let Ok(strips) = strips(stages, threads) else {
        return f64::NEG_INFINITY;
    };
    let tallest = strips.iter().map(Range::len).max().unwrap_or(0);
    if tallest == 0 || bytes(stages, 0..tallest) > 2 * STRIP {
        return f64::NEG_INFINITY;
    }
    let mut wanted = strips;
    let mut saved = 0.0;
    for (k, stage) in stages.iter().enumerate().rev() {
        let (first, last) = (k == 0, k + 1 == stages.len());
        let conv = &stage.conv;
        let rows: usize = wanted.iter().map(Range::len).sum();
        let output = conv.output().map_or([0; 2], |size| size);
        let again = rows.saturating_sub(output[0]) * conv.batch;
        let read = far(conv.batch, conv.in_channels, conv.input) / READ;
        let written = far(conv.batch, conv.out_channels, output) / WRITTEN;
        let row = cycles_a_row(stage, output[1], target);
        let work = row * (output[0] * conv.batch) as f64;
        let joined = if first { read } else { 0.0 } + if last { written } else { 0.0 };
        saved += waiting(work, read + written) - waiting(work, joined);
        saved -= again as f64 * row + STRIPS * work;
        wanted = wanted.into_iter().map(|rows| stage.needs(rows).0).collect();
    }
    saved
}

/// Bytes of a value of `size` that are no longer in a core's own cache.
fn far(batch: usize, channels: usize, size: [usize; 2]) -> f64 {
    let elements = batch * channels.next_multiple_of(BLOCK) * size[0] * size[1];
    ((elements * size_of::<f32>()) as f64 - RESIDENT).max(0.0)
}

/// Cycles that traffic adds to work. The less of it there is, the better it hides behind the work.
fn waiting(work: f64, traffic: f64) -> f64 {
    const MET: f64 = 0.55;
    if traffic < work {
        MET * traffic * traffic / work
    } else {
        traffic - (1.0 - MET) * work
    }
}

/// Cycles of the multiply-adds of a row of a stage's output.
fn cycles_a_row(stage: &Stage, width: usize, target: Target) -> f64 {
    let conv = &stage.conv;
    let taps = conv.kernel[0] * conv.kernel[1];
    let depth = match stage.kind {
        Kind::Sum => conv.in_channels * taps,
        Kind::Depthwise | Kind::Pool(_) => taps,
    };
    let vectors = conv.out_channels.div_ceil(target.lanes().count()) * width;
    (vectors * depth) as f64 / MULTIPLY_ADDS
}
