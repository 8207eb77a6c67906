//! The gradient of 3x3 weights by the transpose of Winograd's algorithm.
//!
//! With the matrices of [`Algorithm`] and the squares of the convolution, for every pair of an input and an output channel
//!
//! ```text
//! V = Bᵀ d B                    of the patch of inputs, as in the convolution
//! W = A dy Aᵀ                   of the square of the output's gradient
//! P = sum over squares of V W   component by component: a matrix product that reduces over squares
//! dw = Gᵀ P G
//! ```
//!
//! which takes as many multiplications as the convolution. A strip does a range of input channels, a range of output channels and a
//! part of the batch: chunk by chunk of squares it transforms both operands and adds to `P`, which stays in the scratch memory, and
//! transforms the sum in the end. The order of the sum is that of the squares, whichever channels go together; parts of the batch have
//! results of their own, *scattered* as those of [`filter`](crate::kernel::filter) are, which copies add up in their order.

use super::cost::Gradient;
use super::squares::{Line, Rectangle, Squares};
use super::{Algorithm, BLOCK, Scheme, VECTOR, check};
use crate::kernel::blocking::even;
use crate::kernel::conv::ConvGeometry;
use crate::kernel::filter::Scattered;
use crate::kernel::plan::PlanError;
use crate::kernel::reduction::{Axis, CHUNK, Segment, UNROLL};
use crate::kernel::staged::{Moving, Repeated, StageCall, StagedBuilder, StagedPlan};
use crate::kernel::tile::transform::{Between, Patch, Transform};
use crate::kernel::tile::{Column, ELEMENT, Init, Lanes, Nest, Pixel, Source, Step, Target, Tile};
use std::ops::Range;

/// A filter gradient cut into strips.
#[derive(Clone, Debug)]
pub struct FilterGradient {
    pub plan: StagedPlan,
    /// Scattered results, one behind the other.
    pub parts: usize,
    pub scattered: Scattered,
    algorithm: Algorithm,
}

impl FilterGradient {
    /// What the transforms read: the constants of inputs, of the output's gradient and of the result.
    pub fn constants(&self) -> Vec<f32> {
        let maps = [
            self.algorithm.input(),
            self.algorithm.output_gradient(),
            self.algorithm.filter_gradient(),
        ];
        maps.iter().flat_map(|map| map.constants()).collect()
    }
}

/// Plans the filter gradient of `conv`, whose output placement is that of the gradient of the output.
///
/// # Errors
/// As for [`check`], or if an offset does not fit a tile's constants.
pub fn plan(
    conv: &ConvGeometry,
    scheme: Scheme,
    target: Target,
) -> Result<FilterGradient, PlanError> {
    check(conv)?;
    let squares = Squares::new(conv, scheme)?;
    let cuts = Gradient::cuts(conv, scheme, target);
    let builder = Builder {
        conv,
        target,
        algorithm: scheme.algorithm,
        rectangles: squares.strips(),
        most: squares.per_strip() * cuts.images,
        cuts,
        staged: StagedBuilder::default(),
    };
    let parts = scheme.cut.parts.min(conv.batch);
    Ok(FilterGradient {
        plan: builder.plan(parts)?,
        parts,
        scattered: Scattered {
            out_channels: conv.out_channels,
            rows: conv.in_channels * 9,
        },
        algorithm: scheme.algorithm,
    })
}

struct Builder<'a> {
    conv: &'a ConvGeometry,
    target: Target,
    algorithm: Algorithm,
    rectangles: Vec<Rectangle>,
    /// Squares of a chunk at most.
    most: usize,
    cuts: Gradient,
    staged: StagedBuilder,
}

/// What a strip works on: blocks of channels and their number, and images.
struct Share {
    inputs: Range<usize>,
    outputs: Range<usize>,
    images: Range<usize>,
}

/// Squares that are transformed and multiplied together: of these images, counted from the strip's first, those of some rectangles.
struct Chunk<'a> {
    images: Range<usize>,
    rectangle: &'a Rectangle,
}

impl Chunk<'_> {
    fn lines(&self) -> impl Iterator<Item = (usize, usize, &Line)> {
        let count = self.per_image();
        let images = self.images.clone().enumerate();
        images.flat_map(move |(k, n)| {
            let lines = self.rectangle.lines.iter();
            lines.map(move |line| (n, k * count + line.first, line))
        })
    }

    fn per_image(&self) -> usize {
        let ends = self.rectangle.lines.iter().map(|l| l.first + l.count);
        ends.max().unwrap_or(0)
    }

    fn squares(&self) -> usize {
        self.per_image() * self.images.len()
    }
}

/// Bytes between neighbouring blocks of a strip's scratch memory, between components, and where it begins.
#[derive(Clone, Copy)]
struct Area {
    plane: i64,
    component: i64,
    at: i64,
}

impl Builder<'_> {
    fn plan(mut self, parts: usize) -> Result<StagedPlan, PlanError> {
        let [inputs, outputs] = [self.conv.in_channels, self.conv.out_channels]
            .map(|channels| channels.div_ceil(BLOCK));
        let mut scratch = 0;
        for (part, images) in even(self.conv.batch, self.conv.batch.div_ceil(parts)).enumerate() {
            for rows in even(inputs, self.cuts.blocks[0]) {
                for columns in even(outputs, self.cuts.blocks[1]) {
                    let share = Share {
                        inputs: rows.clone(),
                        outputs: columns,
                        images: images.clone(),
                    };
                    scratch = scratch.max(self.strip(&share, part)?);
                }
            }
        }
        Ok(self.staged.finish(scratch as u64))
    }

    /// Appends a strip; the bytes of scratch memory it takes.
    fn strip(&mut self, share: &Share, part: usize) -> Result<i64, PlanError> {
        let components = self.algorithm.components() as i64;
        let area = |blocks: usize, vectors: usize, at: i64| Area {
            plane: vectors as i64 * VECTOR,
            // An odd number of vectors apart, components fall into different sets of the cache.
            component: (((blocks * vectors) | 1) as i64) * VECTOR,
            at,
        };
        let v = area(share.inputs.len(), self.most, 0);
        let w = area(share.outputs.len(), self.most, v.component * components);
        let sums = area(
            share.outputs.len(),
            share.inputs.len() * BLOCK,
            w.at + w.component * components,
        );
        let program = self.program(share, [v, w, sums])?;
        let [x, dy] = [&self.conv.input_placement, &self.conv.output_placement];
        let (first, rows) = (share.images.start as i64, self.conv.in_channels as i64 * 9);
        let blocks = self.conv.out_channels.div_ceil(BLOCK) as i64;
        let [c, k] = [&share.inputs, &share.outputs].map(|range| range.start as i64);
        let offsets = [
            (first * x.strides[0] + c * x.strides[1]) * ELEMENT,
            (first * dy.strides[0] + k * dy.strides[1]) * ELEMENT,
            ((part as i64 * blocks + k) * rows + c * 9 * BLOCK as i64) * VECTOR,
        ];
        self.staged.strips_with_weights(program, [offsets]);
        Ok(sums.at + sums.component * components)
    }

    fn program(&mut self, share: &Share, areas: [Area; 3]) -> Result<Vec<Repeated>, PlanError> {
        let [v, w, sums] = areas;
        let mut rounds = Vec::new();
        let rectangles = std::mem::take(&mut self.rectangles);
        for images in even(share.images.len(), self.cuts.images) {
            for rectangle in &rectangles {
                let chunk = Chunk {
                    images: images.clone(),
                    rectangle,
                };
                rounds.push(Repeated {
                    times: share.inputs.len(),
                    calls: chunk
                        .lines()
                        .map(|line| self.input(line, rectangle, v))
                        .collect(),
                });
                rounds.push(Repeated {
                    times: share.outputs.len(),
                    calls: chunk
                        .lines()
                        .map(|line| self.gradient(line, rectangle, w))
                        .collect(),
                });
                let init = match rounds.len() {
                    2 => Init::Zero,
                    _ => Init::Accumulate,
                };
                rounds.push(Repeated {
                    times: self.algorithm.components(),
                    calls: self.products(share, chunk.squares(), areas, init)?,
                });
            }
        }
        self.rectangles = rectangles;
        rounds.push(Repeated {
            times: share.outputs.len(),
            calls: vec![self.result(share, sums)],
        });
        Ok(rounds)
    }

    /// `V` of one block of input channels.
    fn input(&mut self, at: (usize, usize, &Line), rectangle: &Rectangle, v: Area) -> StageCall {
        let (image, first, line) = at;
        let placement = self.conv.input_placement;
        let [images, row, pixel] = placement.image_row_pixel();
        let size = self.algorithm.size() as i64;
        let transform = Transform {
            map: self.algorithm.input(),
            input: Patch {
                row: row as i32,
                column: pixel as i32,
                next: (pixel * size) as i32,
                rows: line.read[0].clone(),
                columns: line.read[1].clone(),
            },
            below: (row * size) as i32,
            ..self.component_transform(line.count, v)
        };
        let offset = image as i64 * images + rectangle.input + line.input;
        StageCall {
            kernel: self.staged.kernel(transform),
            input: Moving::operand(offset, placement.strides[1] * ELEMENT),
            weights: Moving::constants(0),
            output: Moving::scratch(v.at + first as i64 * VECTOR, v.plane),
            bias: Moving::operand(0, 0),
        }
    }

    /// `W` of one block of output channels.
    fn gradient(&mut self, at: (usize, usize, &Line), rectangle: &Rectangle, w: Area) -> StageCall {
        let (image, first, line) = at;
        let placement = self.conv.output_placement;
        let [images, row, pixel] = placement.image_row_pixel();
        let size = self.algorithm.size() as i64;
        let transform = Transform {
            map: self.algorithm.output_gradient(),
            input: Patch {
                row: row as i32,
                column: pixel as i32,
                next: (pixel * size) as i32,
                rows: line.write[0].clone(),
                columns: line.write[1].clone(),
            },
            below: (row * size) as i32,
            ..self.component_transform(line.count, w)
        };
        let offset = image as i64 * images + rectangle.output + line.output;
        let constants = self.algorithm.input().constants().len() as i64 * ELEMENT;
        StageCall {
            kernel: self.staged.kernel(transform),
            input: Moving::weights(offset, placement.strides[1] * ELEMENT),
            weights: Moving::constants(constants),
            output: Moving::scratch(w.at + first as i64 * VECTOR, w.plane),
            bias: Moving::operand(0, 0),
        }
    }

    /// A transform whose results are components in the scratch memory.
    fn component_transform(&self, patches: usize, area: Area) -> Transform {
        let size = self.algorithm.patch();
        let output = Patch {
            row: (area.component * size as i64) as i32,
            column: area.component as i32,
            next: VECTOR as i32,
            rows: 0..size,
            columns: 0..size,
        };
        Transform {
            map: self.algorithm.input(),
            input: output.clone(),
            output,
            between: Between::Output,
            patches: patches as u32,
            below: 0,
            bias: false,
            epilogue: Vec::new(),
        }
    }

    /// `P` of one component.
    fn products(
        &mut self,
        share: &Share,
        squares: usize,
        [v, w, sums]: [Area; 3],
        init: Init,
    ) -> Result<Vec<StageCall>, PlanError> {
        let halves = BLOCK / self.target.lanes().count();
        let mut calls = Vec::new();
        for outputs in even(share.outputs.len(), (4 / halves).clamp(1, 2)) {
            let columns = self.columns(outputs.len(), halves, w, sums);
            let most = self
                .target
                .tallest(columns.len(), Source::Broadcast, &[], 0);
            for block in 0..share.inputs.len() {
                let channel = (share.inputs.start + block) * BLOCK;
                let channels = (self.conv.in_channels - channel).min(BLOCK);
                for lanes in even(channels, most.max(1)) {
                    let tile = Tile {
                        source: Source::Broadcast,
                        pixels: (0..lanes.len() as i32).map(pixel).collect(),
                        columns: columns.clone(),
                        init,
                        reduction: reduction(squares)?,
                        epilogue: Vec::new(),
                    };
                    let lane = lanes.start as i64;
                    let row = (block * BLOCK) as i64 + lane;
                    let k = outputs.start as i64;
                    calls.push(StageCall {
                        kernel: self.staged.kernel(tile),
                        input: Moving::scratch(
                            v.at + block as i64 * v.plane + lane * ELEMENT,
                            v.component,
                        ),
                        weights: Moving::scratch(w.at + k * w.plane, w.component),
                        output: Moving::scratch(
                            sums.at + k * sums.plane + row * VECTOR,
                            sums.component,
                        ),
                        bias: Moving::operand(0, 0),
                    });
                }
            }
        }
        Ok(calls)
    }

    fn columns(&self, blocks: usize, halves: usize, w: Area, sums: Area) -> Vec<Column> {
        let lanes = self.target.lanes();
        let column = |k: usize| {
            let (block, within) = ((k / halves) as i64, (k % halves) as i64 * lanes.bytes());
            let beside = k as i64 * lanes.bytes();
            Column {
                weights: (block * w.plane + within - beside) as i32,
                ..Column::full(lanes, (block * sums.plane + within) as i32)
            }
        };
        (0..blocks * halves).map(column).collect()
    }

    /// The scattered result of one block of output channels.
    fn result(&mut self, share: &Share, sums: Area) -> StageCall {
        let size = self.algorithm.patch();
        let channels =
            (share.inputs.end * BLOCK).min(self.conv.in_channels) - share.inputs.start * BLOCK;
        let transform = Transform {
            map: self.algorithm.filter_gradient(),
            input: Patch {
                row: (sums.component * size as i64) as i32,
                column: sums.component as i32,
                next: VECTOR as i32,
                rows: 0..size,
                columns: 0..size,
            },
            output: Patch {
                row: 3 * VECTOR as i32,
                column: VECTOR as i32,
                next: 9 * VECTOR as i32,
                rows: 0..3,
                columns: 0..3,
            },
            between: Between::Input,
            patches: channels as u32,
            below: 0,
            bias: false,
            epilogue: vec![Step::Scale(self.algorithm.filter_scale().into())],
        };
        let before = [self.algorithm.input(), self.algorithm.output_gradient()];
        let constants: usize = before.iter().map(|map| map.constants().len()).sum();
        let rows = self.conv.in_channels as i64 * 9;
        StageCall {
            kernel: self.staged.kernel(transform),
            input: Moving::scratch(sums.at, sums.plane),
            weights: Moving::constants(constants as i64 * ELEMENT),
            output: Moving::operand(0, rows * VECTOR),
            bias: Moving::operand(0, 0),
        }
    }
}

/// A lane of a block of input channels.
fn pixel(lane: i32) -> Pixel {
    Pixel {
        input: lane * ELEMENT as i32,
        output: lane * Lanes::Sixteen.bytes() as i32,
    }
}

/// The sum over squares.
fn reduction(squares: usize) -> Result<Vec<Nest>, PlanError> {
    let chunk = if squares <= UNROLL { squares } else { CHUNK };
    let whole = squares / chunk;
    let mut nests = Vec::new();
    for (first, count, repeated) in [(0, chunk, whole), (whole * chunk, squares % chunk, 1)] {
        if count * repeated == 0 {
            continue;
        }
        let steps = [VECTOR, VECTOR * chunk as i64];
        let segment = Segment {
            input: first as i64 * VECTOR,
            filter: 0,
            axes: vec![
                Axis::channel(count, steps[0], 0),
                Axis::channel(repeated, steps[1], 0),
            ],
        };
        nests.extend(segment.nest(first as i64 * VECTOR, &steps, &[0..1, 0..1], &[])?);
    }
    Ok(nests)
}
