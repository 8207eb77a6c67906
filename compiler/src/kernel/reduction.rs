//! A reduction as nested axes, and its nests of a tile, clipped to the part of the window inside the input.
//!
//! A segment's axes are listed innermost first; weight rows follow the same order, so axis `a` advances the weights by
//! the product of the counts inside it. Clipping a window axis skips inputs and weight rows alike: that is how padding
//! is done without reading it.

use super::plan::PlanError;
use super::tile::{Clip, Loop, Nest, Tap};
use std::ops::Range;

/// Taps a tile's body is unrolled to at most: with a full register block of accumulators, about 6 KB of code.
pub const UNROLL: usize = 32;

/// Taps of one unrolled step along a long axis.
pub const CHUNK: usize = 16;

/// One dimension of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    pub count: usize,
    /// Input bytes from one index to the next.
    pub input: i64,
    /// Source weights from one index to the next, in elements.
    pub filter: usize,
    /// Which kernel dimension this is (0 rows, 1 columns), if it can be clipped.
    pub window: Option<usize>,
}

impl Axis {
    /// An axis that is never clipped.
    pub fn channel(count: usize, input: i64, filter: usize) -> Self {
        Axis {
            count,
            input,
            filter,
            window: None,
        }
    }
}

/// Axes that run over a rectangular part of the reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Input bytes before the first element.
    pub input: i64,
    /// Source weights before the first element.
    pub filter: usize,
    /// Innermost first.
    pub axes: Vec<Axis>,
}

/// The part of the kernel window inside the input: rows and columns.
pub type Window = [Range<usize>; 2];

/// Splits a long axis into chunks that a body unrolls, and what is left over; `between` are the axes inside the loop over
/// chunks.
pub fn chunked(axis: Axis, chunk_stride: i64, chunk: usize, between: &[Axis]) -> Vec<Segment> {
    let (whole, rest) = (axis.count / chunk, axis.count % chunk);
    let mut segments = Vec::new();
    if whole > 0 {
        let chunks = Axis::channel(whole, chunk_stride, axis.filter * chunk);
        let axes = [Axis {
            count: chunk,
            ..axis
        }]
        .iter()
        .chain(between)
        .chain([&chunks])
        .copied()
        .collect();
        segments.push(Segment {
            input: 0,
            filter: 0,
            axes,
        });
    }
    if rest > 0 {
        let axes = [Axis {
            count: rest,
            ..axis
        }]
        .iter()
        .chain(between)
        .copied()
        .collect();
        segments.push(Segment {
            input: whole as i64 * chunk_stride,
            filter: axis.filter * chunk * whole,
            axes,
        });
    }
    segments
}

/// Source index of each weight row of the segments, in order.
pub fn rows(segments: &[Segment]) -> Vec<usize> {
    segments.iter().flat_map(Segment::rows).collect()
}

/// The nests of a tile whose weight rows are `row` bytes long, for the pixels whose window is `window`.
pub fn nests(segments: &[Segment], row: i64, window: &Window) -> Result<Vec<Nest>, PlanError> {
    let mut first_row = 0;
    let mut nests = Vec::new();
    for segment in segments {
        let strides = segment.axes.iter().scan(row, |stride, axis| {
            let own = *stride;
            *stride *= axis.count as i64;
            Some(own)
        });
        let strides: Vec<i64> = strides.collect();
        nests.extend(segment.nest(first_row * row, &strides, window, &[])?);
        first_row += segment.elements() as i64;
    }
    Ok(nests)
}

/// An offset as a constant of a tile.
pub fn constant(offset: i64) -> Result<i32, PlanError> {
    i32::try_from(offset).map_err(|_| PlanError::Offset { offset })
}

impl Segment {
    /// Elements reduced; weight rows.
    pub fn elements(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    fn rows(&self) -> Vec<usize> {
        let innermost_first = vec![self.filter];
        self.axes.iter().fold(innermost_first, |rows, axis| {
            (0..axis.count)
                .flat_map(|index| rows.iter().map(move |row| row + index * axis.filter))
                .collect()
        })
    }

    /// How many of the inner axes are unrolled: as many as fit, and one at least.
    fn unrolled(&self) -> usize {
        let mut taps = 1;
        let fits = |axis: &&Axis| {
            taps *= axis.count;
            taps <= UNROLL
        };
        self.axes
            .iter()
            .take_while(fits)
            .count()
            .max(1)
            .min(self.axes.len())
    }

    /// The segment as a nest whose weights start at `weights` and advance by `strides` bytes along the axes; none if the
    /// window is empty. `clips` has one entry for each kernel column, or none at all.
    pub fn nest(
        &self,
        weights: i64,
        strides: &[i64],
        window: &Window,
        clips: &[Clip],
    ) -> Result<Option<Nest>, PlanError> {
        // Each tap as (input, weights, kernel column), growing from the innermost axis outwards.
        let mut taps = vec![(0, 0, 0)];
        let (mut input, mut weights) = (self.input, weights);
        let mut loops = Vec::new();
        for (depth, (axis, &stride)) in self.axes.iter().zip(strides).enumerate() {
            let range = axis
                .window
                .map_or(0..axis.count, |dimension| window[dimension].clone());
            if range.is_empty() {
                return Ok(None);
            }
            let (start, count) = (range.start as i64, range.len());
            input += start * axis.input;
            weights += start * stride;
            if depth < self.unrolled() {
                let column = |index: usize| {
                    if axis.window == Some(1) {
                        range.start + index
                    } else {
                        0
                    }
                };
                let step = |i: usize| (i as i64 * axis.input, i as i64 * stride, column(i));
                taps = (0..count)
                    .map(step)
                    .flat_map(|(x, w, k)| {
                        taps.iter()
                            .map(move |tap| (tap.0 + x, tap.1 + w, tap.2 + k))
                    })
                    .collect();
            } else if count > 1 {
                let (input, weights) = (constant(axis.input)?, constant(stride)?);
                loops.push(Loop {
                    trip: count as u32,
                    input,
                    weights,
                });
            }
        }
        let tap = |&(input, weights, column): &(i64, i64, usize)| {
            let clip = clips.get(column).copied().unwrap_or(Clip::NONE);
            Ok(Tap {
                input: constant(input)?,
                weights: constant(weights)?,
                clip,
            })
        };
        let taps = taps.iter().map(tap).collect::<Result<_, PlanError>>()?;
        Ok(Some(Nest {
            input: constant(input)?,
            weights: constant(weights)?,
            taps,
            loops,
        }))
    }
}
