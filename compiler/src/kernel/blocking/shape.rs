//! The shape of a register block: how many pixels by how many vectors of channels.

use crate::kernel::tile::{Lanes, Shape, Source, Target};
use std::ops::Range;

/// Multiply-adds in flight that hide their latency.
const LATENCY: usize = 8;

/// Fewest pixels that share their inputs enough for a sliding window to pay.
const MIN_WINDOW: usize = 4;

/// Pixels this many bytes apart fall into one set of the first cache, which holds but a few.
const PAGE: u64 = 4096;
const WAYS: usize = 8;

/// What a register block is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    pub target: Target,
    pub source: Source,
    /// Registers free for accumulators.
    pub accumulators: usize,
    /// Pixels and columns there are in all.
    pub pixels: usize,
    pub columns: usize,
    /// Elements reduced.
    pub taps: usize,
    /// Those along the innermost axis: a row of a kernel window.
    pub row: usize,
    /// Input bytes from one pixel to the next.
    pub pixel_step: i64,
}

impl Demand {
    /// Picks a register block by the work it leaves beside the multiply-adds, which every block does alike.
    pub fn shape(&self) -> Shape {
        let fallback = Shape {
            pixels: 1,
            columns: 1,
        };
        self.sliding_window().unwrap_or_else(|| {
            self.target
                .shapes()
                .iter()
                .map(|shape| self.fit(shape))
                .min_by_key(|s| self.cost(s))
                .unwrap_or(fallback)
        })
    }

    fn fit(&self, shape: &Shape) -> Shape {
        let columns = shape
            .columns
            .min(self.columns.max(1))
            .min(self.accumulators);
        let pixels = (shape.pixels * shape.columns).min(self.accumulators) / columns;
        Shape {
            pixels: pixels.min(self.distinct_lines()),
            columns,
        }
    }

    /// Pixels whose inputs the first cache holds at once: those whole fractions of a page apart share few of its sets.
    fn distinct_lines(&self) -> usize {
        let shared = gcd(self.pixel_step.unsigned_abs(), PAGE);
        match shared {
            _ if self.pixel_step == 0 => usize::MAX,
            0..=64 => usize::MAX,
            shared => (PAGE / shared) as usize * WAYS,
        }
    }

    /// Loads, broadcasts and waiting, over all blocks.
    fn cost(&self, shape: &Shape) -> usize {
        let blocks = self.pixels.div_ceil(shape.pixels) * self.columns.div_ceil(shape.columns);
        // A block shorter than the latency of its multiply-adds waits for them.
        let waiting = LATENCY.saturating_sub(self.pixels.min(shape.pixels) * shape.columns);
        let broadcasts = if self.target == Target::Avx512 {
            0
        } else {
            shape.pixels
        };
        blocks * (shape.columns + broadcasts + waiting + 1)
    }

    /// For a depthwise window small enough to keep its weights, or those of one row, in registers: one column, and as many pixels
    /// as fit beside the weights and one input vector. All weights leave enough accumulators to hide latency, or stay row by row.
    fn sliding_window(&self) -> Option<Shape> {
        let beside = |weights| self.target.registers().checked_sub(weights + 2);
        let all = beside(self.taps).filter(|&room| room >= LATENCY);
        let room = all.or_else(|| beside(self.row))?;
        let fits = self.source == Source::Lanes && room >= MIN_WINDOW;
        fits.then(|| Shape {
            pixels: room.min(self.accumulators),
            columns: 1,
        })
    }
}

/// The narrowest vector with room for `channels`, of those there are.
pub fn narrowest(channels: usize) -> Lanes {
    match channels {
        0..=4 => Lanes::Four,
        5..=8 => Lanes::Eight,
        _ => Lanes::Sixteen,
    }
}

/// Cuts `0..count` into as few ranges of at most `most` as possible, of nearly equal length.
pub fn even(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let ranges = count.div_ceil(most.max(1));
    (0..ranges).map(move |i| i * count / ranges..(i + 1) * count / ranges)
}

/// The greatest common divisor; `gcd(0, b)` is `b`.
fn gcd(a: u64, b: u64) -> u64 {
    if a == 0 { b } else { gcd(b % a, a) }
}
