//! The shape of a register block: how many pixels by how many vectors of channels.

use crate::kernel::tile::{Lanes, Shape, Source, Step, Target};
use std::ops::Range;

/// Most columns of a register block.
const COLUMNS: usize = 8;

/// Cycles of a call beside its multiply-adds.
const CALL: f64 = 30.0;

/// Cycles to fetch a vector of weights from the second cache, as far as they are not hidden.
const FETCH: f64 = 0.25;

/// Bytes of weights a cycle that come from memory, for the first block of pixels; the others find them in a cache.
const FROM_MEMORY: f64 = 7.0;

/// Cycles that loads take for each in which they all hit the first cache.
const MISSES: f64 = 1.05;

/// What is left of the shorter of two things done at once.
const OVERLAP: f64 = 0.25;

/// Multiply-adds in flight that hide their latency.
const LATENCY: usize = 8;

/// Fewest pixels that share their inputs enough for a sliding window to pay.
const MIN_WINDOW: usize = 4;

/// Pixels this many bytes apart fall into one set of the first cache, which holds but a few.
const PAGE: u64 = 4096;
const WAYS: usize = 8;

/// What a register block is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    pub target: Target,
    pub source: Source,
    pub epilogue: &'a [Step],
    /// Distinct masks of partial vectors.
    pub masks: usize,
    /// Columns there are in all.
    pub columns: usize,
    /// Elements reduced.
    pub taps: usize,
    /// Those along the innermost axis: a row of a kernel window.
    pub row: usize,
    /// Input bytes from one pixel to the next.
    pub pixel_step: i64,
    /// Whether the first block of pixels reads the weights from memory.
    pub cold_weights: bool,
}

impl Demand<'_> {
    /// The register blocks there are, at least one, that which takes the fewest cycles first. `blocks` cuts the pixels into blocks of at most so
    /// many, and returns their sizes.
    pub fn shapes(&self, blocks: impl Fn(usize) -> Vec<usize>) -> Vec<Shape> {
        if let Some(shape) = self.sliding_window() {
            return vec![shape];
        }
        let mut shapes: Vec<(f64, Shape)> = (1..=self.columns.clamp(1, COLUMNS))
            .map(|columns| (self.tallest(columns), columns))
            .filter(|(pixels, columns)| *pixels > 0 || *columns == 1)
            .map(|(pixels, columns)| Shape {
                pixels: pixels.max(1),
                columns,
            })
            .map(|shape| (self.cycles(&shape, &blocks(shape.pixels)), shape))
            .collect();
        shapes.sort_by(|a, b| a.0.total_cmp(&b.0));
        shapes.into_iter().map(|(_, shape)| shape).collect()
    }

    /// Whether tiles of that shape fit into the registers.
    pub fn fits(&self, shape: Shape) -> bool {
        match self.sliding_window() {
            Some(window) => shape == window,
            None => {
                let columns = 1..=COLUMNS.min(self.columns);
                columns.contains(&shape.columns)
                    && (1..=self.tallest(shape.columns)).contains(&shape.pixels)
            }
        }
    }

    fn tallest(&self, columns: usize) -> usize {
        self.target
            .tallest(columns, self.source, self.epilogue, self.masks)
            .min(self.distinct_lines())
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

    /// Cycles of all calls, when the pixels are cut into blocks of these sizes.
    fn cycles(&self, shape: &Shape, blocks: &[usize]) -> f64 {
        let call = |pixels, columns| CALL + self.taps as f64 * self.tap(pixels, columns);
        let calls = |columns: Range<usize>| {
            let columns = columns.len();
            let Some((&first, others)) = blocks.split_first() else {
                return 0.0;
            };
            let bytes = match self.cold_weights {
                true => self.taps as i64 * columns as i64 * self.target.lanes().bytes(),
                false => 0,
            };
            let (first, fetch) = (call(first, columns), bytes as f64 / FROM_MEMORY);
            let others = others.iter().map(|&pixels| call(pixels, columns));
            first.max(fetch) + OVERLAP * first.min(fetch) + others.sum::<f64>()
        };
        even(self.columns, shape.columns).map(calls).sum()
    }

    /// Cycles of one tap: every multiply-add, every input and every vector of weights once.
    fn tap(&self, pixels: usize, columns: usize) -> f64 {
        let rates = self.target.rates();
        let (multiply_adds, loads) = (pixels * columns, pixels + columns);
        let rate = |count: usize, rate: usize| count as f64 / rate as f64;
        let bound = rate(multiply_adds, rates.multiply_adds)
            .max(rate(loads, rates.loads) * MISSES)
            .max(rate(multiply_adds + loads + columns, rates.instructions));
        bound.max(rates.latency as f64) + FETCH * columns as f64
    }

    /// For a depthwise window small enough to keep its weights, or those of one row, in registers: one column, and as many pixels
    /// as fit beside the weights and one input vector. All weights leave enough accumulators to hide latency, or stay row by row.
    fn sliding_window(&self) -> Option<Shape> {
        let accumulators = self
            .target
            .accumulators(self.source, self.epilogue, self.masks);
        let beside = |weights| self.target.registers().checked_sub(weights + 2);
        let all = beside(self.taps).filter(|&room| room >= LATENCY);
        let room = all.or_else(|| beside(self.row))?;
        let fits = self.source == Source::Lanes && room >= MIN_WINDOW;
        fits.then(|| Shape {
            pixels: room.min(accumulators),
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
