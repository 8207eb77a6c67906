//! The gradient of maximum pooling of channels that lie side by side: lanes are channels, a strip is a plane of one block of them.
//!
//! Rows of windows are walked by [`Unpool`]s, one for each way in which the padding clips windows. Where windows overlap, or leave
//! elements out, the plane is set to zero first. The order of additions is that of the windows, whoever does them.

use super::placement::Placement;
use super::plan::PlanError;
use super::reduction::constant;
use super::staged::{Moving, Repeated, StageCall, StagedBuilder, StagedPlan};
use super::tile::unpool::{Cell, Unpool};
use super::tile::{Column, ELEMENT, Init, Lanes, Pixel, Source, Target, Tile};
use std::ops::Range;

/// Most cells of a window: the code of a window is unrolled.
const CELLS: usize = 64;

/// Vectors that one call sets to zero.
const ZEROS: usize = 8;

/// A pool's gradient: `x` and `dx` of the pool's input, `dy` of its result.
#[derive(Clone, Debug)]
pub struct UnpoolGeometry {
    pub batch: usize,
    pub channels: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Rows above, columns to the left.
    pub pads: [usize; 2],
    /// Whether windows whose greatest element is not above 0 pass nothing back.
    pub rectified: bool,
    pub x: Placement,
    pub dy: Placement,
    pub dx: Placement,
}

/// Plans the gradient.
///
/// # Errors
/// If a layout is not blocked by 16, or windows are large.
pub fn plan(geometry: &UnpoolGeometry, target: Target) -> Result<StagedPlan, PlanError> {
    let block = Lanes::Sixteen.count();
    for placement in [&geometry.x, &geometry.dy, &geometry.dx] {
        if placement.block != block {
            let what = "the block of a layout";
            return Err(PlanError::geometry(what, block, placement.block));
        }
    }
    let cells = geometry.kernel[0] * geometry.kernel[1];
    if cells > CELLS {
        let expected = format!("at most {CELLS}");
        return Err(PlanError::geometry("the size of a window", expected, cells));
    }
    let mut staged = StagedBuilder::default();
    let mut program = Vec::new();
    if !geometry.is_partition() {
        program.push(geometry.zeros(&mut staged, target));
    }
    let [rows, columns] = [0, 1].map(|axis| geometry.runs(axis));
    for (rows, cells_down) in &rows {
        let calls = columns.iter().map(|(columns, cells_right)| {
            geometry.windows(&mut staged, [rows, columns], [cells_down, cells_right])
        });
        program.push(Repeated {
            times: rows.len(),
            calls: calls.collect::<Result<_, _>>()?,
        });
    }
    let blocks = geometry.channels.div_ceil(block) as i64;
    let planes = (0..geometry.batch as i64).flat_map(|n| (0..blocks).map(move |c| [n, c]));
    let offsets = planes.map(|[n, c]| {
        [&geometry.x, &geometry.dy, &geometry.dx]
            .map(|p| (n * p.strides[0] + c * p.strides[1]) * ELEMENT)
    });
    staged.strips_with_weights(program, offsets);
    Ok(staged.finish(0))
}

impl UnpoolGeometry {
    /// Whether every element lies in exactly one window.
    fn is_partition(&self) -> bool {
        (0..2).all(|axis| {
            self.pads[axis] == 0
                && self.dilations[axis] == 1
                && self.strides[axis] == self.kernel[axis]
                && self.output[axis] * self.strides[axis] == self.input[axis]
        })
    }

    fn overlaps(&self) -> bool {
        (0..2).any(|axis| (self.kernel[axis] - 1) * self.dilations[axis] + 1 > self.strides[axis])
    }

    /// The windows along an axis in runs that the padding clips alike, with the cells that are left.
    fn runs(&self, axis: usize) -> Vec<(Range<usize>, Vec<usize>)> {
        let cells = |o: usize| -> Vec<usize> {
            let inside = |k: &usize| {
                let at = o * self.strides[axis] + k * self.dilations[axis];
                (self.pads[axis]..self.pads[axis] + self.input[axis]).contains(&at)
            };
            (0..self.kernel[axis]).filter(inside).collect()
        };
        let mut runs: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
        for o in 0..self.output[axis] {
            let own = cells(o);
            match runs.last_mut() {
                Some((run, cells)) if *cells == own => run.end = o + 1,
                _ => runs.push((o..o + 1, own)),
            }
        }
        runs.retain(|(_, cells)| !cells.is_empty());
        runs
    }

    /// A row of windows; repeated for every row.
    fn windows(
        &self,
        staged: &mut StagedBuilder,
        [rows, columns]: [&Range<usize>; 2],
        [down, right]: [&Vec<usize>; 2],
    ) -> Result<StageCall, PlanError> {
        let at = |p: &Placement, [h, w]: [i64; 2]| {
            let [_, row, pixel] = p.image_row_pixel();
            h * row + w * pixel
        };
        let cell = |kh: usize, kw: usize| {
            let steps = [kh * self.dilations[0], kw * self.dilations[1]].map(|n| n as i64);
            Ok(Cell {
                x: constant(at(&self.x, steps))?,
                dx: constant(at(&self.dx, steps))?,
            })
        };
        let cells = down
            .iter()
            .flat_map(|&kh| right.iter().map(move |&kw| (kh, kw)));
        let cells = cells.map(|(kh, kw)| cell(kh, kw));
        let [step_down, step_right] = self.strides.map(|s| s as i64);
        let next = [
            at(&self.x, [0, step_right]),
            at(&self.dy, [0, 1]),
            at(&self.dx, [0, step_right]),
        ];
        let unpool = Unpool {
            cells: cells.collect::<Result<_, PlanError>>()?,
            windows: columns.len() as u32,
            next: [constant(next[0])?, constant(next[1])?, constant(next[2])?],
            accumulate: self.overlaps(),
            rectified: self.rectified,
        };
        let first = [rows.start as i64, columns.start as i64];
        let origin = [0, 1].map(|a| first[a] * self.strides[a] as i64 - self.pads[a] as i64);
        let moving = |p: &Placement, from: [i64; 2], step: i64| {
            Moving::operand(at(p, from), at(p, [step, 0]))
        };
        Ok(StageCall {
            kernel: staged.kernel(unpool),
            input: moving(&self.x, origin, step_down),
            weights: moving(&self.dy, first, 1),
            output: moving(&self.dx, origin, step_down),
            bias: Moving::operand(0, 0),
        })
    }

    /// A row of zeros; repeated for every row of the plane.
    fn zeros(&self, staged: &mut StagedBuilder, target: Target) -> Repeated {
        let [_, row, pixel] = self.dx.image_row_pixel();
        let lanes = target.lanes();
        let halves = Lanes::Sixteen.count() / lanes.count();
        let columns =
            (0..halves).map(|half| Column::full(lanes, half as i32 * lanes.bytes() as i32));
        let columns: Vec<Column> = columns.collect();
        let most = ZEROS / halves;
        let calls = (0..self.input[1]).step_by(most).map(|first| {
            let count = most.min(self.input[1] - first);
            let pixels = (0..count).map(|w| Pixel {
                input: 0,
                output: (w as i64 * pixel) as i32,
            });
            let tile = Tile {
                source: Source::Broadcast,
                pixels: pixels.collect(),
                columns: columns.clone(),
                init: Init::Zero,
                reduction: Vec::new(),
                epilogue: Vec::new(),
            };
            StageCall {
                kernel: staged.kernel(tile),
                input: Moving::operand(0, 0),
                weights: Moving::operand(0, 0),
                output: Moving::operand(first as i64 * pixel, row),
                bias: Moving::operand(0, 0),
            }
        });
        Repeated {
            calls: calls.collect(),
            times: self.input[0],
        }
    }
}
