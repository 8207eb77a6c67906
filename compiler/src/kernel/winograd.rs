//! Convolution 3x3 of stride 1 by Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks", 2015).
//!
//! The output is cut into squares of `m x m`, for which a patch of `(m + 2) x (m + 2)` inputs is read. With the matrices of
//! [`Algorithm`], for each square
//!
//! ```text
//! V = Bᵀ d B         per input channel                     (m + 2)² components
//! M = sum over channels of U V                             a matrix product per component
//! y = Aᵀ M A + bias  per output channel, then the epilogue
//! ```
//!
//! where `U = G g Gᵀ` of the weights is computed at compile time, in f64, or where weights are computed themselves, at run time
//! ([`filters`]). Against the direct sum, multiplications shrink by
//! `9 m² / (m + 2)²`: 2.25 for m = 2, 4 for m = 4; `U` is larger than `g` by `(m + 2)² / 9`. The error grows with m: relative to the
//! largest output about 5e-7 for m = 2 and 1e-5 for m = 4 (direct: 1e-6).
//!
//! Work is cut into strips of squares small enough that `V` stays in the cache a core has to itself, of several images where these are
//! small; a strip's program ([`StagedPlan`]) transforms its patches, and then for each group of output channels multiplies and transforms back.
//!
//! A non-finite input spreads over its square. Deliberately absent: strides, dilations and groups.

mod algorithm;
mod cost;
mod filters;
pub mod gradient;
mod squares;

use super::blocking::{Blocking, ChannelRange, Region, Steps, Weights, even};
use super::conv::ConvGeometry;
use super::placement::Placement;
use super::plan::{Plan, PlanError};
use super::reduction::{Axis, CHUNK, chunked};
use super::staged::{Moving, Repeated, StageCall, StagedBuilder, StagedPlan};
use super::tile::transform::{Between, Patch, Transform};
use super::tile::{ELEMENT, Init, Lanes, Source, Target};
pub use algorithm::Algorithm;
pub use cost::{Cut, Scheme, Setting, choose, choose_gradient, rank_gradient, ranking};
pub use filters::{FilterOrder, Filters, PackedFilters};
use squares::{Line, Squares};

/// Bytes of one vector of a block of channels.
const VECTOR: i64 = Lanes::Sixteen.bytes();

/// Channels of a block.
const BLOCK: usize = Lanes::Sixteen.count();

/// A convolution cut into strips.
#[derive(Clone, Debug)]
pub struct Winograd {
    pub plan: StagedPlan,
    pub filters: PackedFilters,
    algorithm: Algorithm,
    out_channels: usize,
}

/// Plans a convolution.
///
/// # Errors
/// As for [`check`], or if an offset does not fit a tile's constants.
pub fn plan(
    conv: &ConvGeometry,
    filters: Filters,
    scheme: Scheme,
    target: Target,
) -> Result<Winograd, PlanError> {
    check(conv)?;
    let algorithm = scheme.algorithm;
    let squares = Squares::new(conv, scheme)?;
    let images = cost::images(conv, scheme, target, filters.computed);
    let product = product(conv, squares.per_strip() * images, filters.computed, target)?;
    let channels = [conv.in_channels, conv.out_channels];
    let filters = PackedFilters::new(algorithm, filters.order, channels, &product);
    let builder = Builder::new(conv, scheme, images, &squares, &product, &filters);
    Ok(Winograd {
        plan: builder.plan(),
        filters,
        algorithm,
        out_channels: conv.out_channels,
    })
}

/// Whether the algorithm can do a convolution.
///
/// # Errors
/// If it is not 3x3 with stride 1, dilation 1 and one group, or if a layout is not blocked by 16.
pub fn check(conv: &ConvGeometry) -> Result<(), PlanError> {
    conv.check()?;
    for (what, found, expected) in [
        ("the kernel", conv.kernel, [3, 3]),
        ("the stride", conv.strides, [1, 1]),
        ("the dilation", conv.dilations, [1, 1]),
    ] {
        if found != expected {
            return Err(PlanError::geometry(
                what,
                format!("{expected:?}"),
                format!("{found:?}"),
            ));
        }
    }
    if conv.groups != 1 {
        return Err(PlanError::geometry("the group count", 1, conv.groups));
    }
    for placement in [conv.input_placement, conv.output_placement] {
        if placement.block != BLOCK {
            return Err(PlanError::geometry(
                "the block of a layout",
                BLOCK,
                placement.block,
            ));
        }
    }
    Ok(())
}

/// The matrix product of one component: a convolution 1x1 over a line of squares. Where weights are computed, groups are whole
/// blocks of channels.
fn product(
    conv: &ConvGeometry,
    squares: usize,
    computed: bool,
    target: Target,
) -> Result<Plan, PlanError> {
    let blocking = blocking(conv, squares, computed, target);
    if !computed {
        return blocking.plan();
    }
    let whole = |plan: &Plan| {
        let mut blocks = plan.packing.iter().flat_map(|p| p.blocks());
        blocks.all(|block| block.width.is_multiple_of(BLOCK))
    };
    let plans = blocking.tilings().into_iter();
    let mut plans = plans.filter_map(|tiling| blocking.plan_as(tiling).ok());
    plans.find(whole).ok_or_else(|| {
        let found = "none whose columns are whole blocks";
        PlanError::geometry("the register block", "one that fits", found)
    })
}

fn blocking(conv: &ConvGeometry, squares: usize, computed: bool, target: Target) -> Blocking {
    let line = Placement::dense(BLOCK, conv.in_channels, [1, squares], [0; 4]);
    let all = 0..1;
    Blocking {
        target,
        source: Source::Broadcast,
        init: Init::Zero,
        epilogue: Vec::new(),
        segments: chunked(
            Axis::channel(conv.in_channels, ELEMENT, 1),
            line.strides[1] * ELEMENT,
            CHUNK,
            &[],
        ),
        weights: Weights::Packed {
            channel_stride: conv.in_channels,
        },
        images: 1,
        regions: vec![Region {
            rows: 0..1,
            columns: 0..squares,
            window: [all.clone(), all],
        }],
        steps: Steps {
            origin: 0,
            image: [0, 0],
            row: [0, 0],
            pixel: [VECTOR, VECTOR],
        },
        channels: vec![ChannelRange {
            first: 0,
            count: match computed {
                true => conv.out_channels.next_multiple_of(BLOCK),
                false => conv.out_channels,
            },
            filter: 0,
            input: 0,
            output: 0,
            padded: true,
        }],
        cold_weights: false,
        input_bytes: 0,
        input: line,
        output: line,
    }
}

impl Winograd {
    /// What the transforms of data read.
    pub fn constants(&self) -> Vec<f32> {
        self.algorithm.constants()
    }

    /// The bias in whole blocks.
    pub fn bias(&self, bias: &[f32]) -> Vec<f32> {
        let mut padded = bias.to_vec();
        padded.resize(self.out_channels.next_multiple_of(BLOCK), 0.0);
        padded
    }
}

/// Groups of output channels that end with a block, so that they can be transformed back together.
struct Bundle {
    /// Indices of the product's groups.
    groups: std::ops::Range<usize>,
    /// Blocks of output channels.
    blocks: std::ops::Range<usize>,
}

struct Builder<'a> {
    conv: &'a ConvGeometry,
    algorithm: Algorithm,
    /// Images of a strip.
    images: usize,
    squares: &'a Squares,
    product: &'a Plan,
    filters: &'a PackedFilters,
    bundles: Vec<Bundle>,
    /// Bytes between neighbouring blocks of channels in the scratch memory, and between components of `V` and of `M`.
    plane: i64,
    components: [i64; 2],
    staged: StagedBuilder,
}

impl<'a> Builder<'a> {
    fn new(
        conv: &'a ConvGeometry,
        scheme: Scheme,
        images: usize,
        squares: &'a Squares,
        product: &'a Plan,
        filters: &'a PackedFilters,
    ) -> Self {
        let bundles = bundles(product, conv.out_channels);
        let plane = (squares.per_strip() * images) as i64 * VECTOR;
        let widest = bundles.iter().map(|b| b.blocks.len()).max().unwrap_or(0);
        // An odd number of vectors apart, components fall into different sets of the cache.
        let apart = |blocks: usize| ((blocks as i64 * plane / VECTOR) | 1) * VECTOR;
        Builder {
            conv,
            algorithm: scheme.algorithm,
            images,
            squares,
            product,
            filters,
            plane,
            components: [apart(conv.in_channels.div_ceil(BLOCK)), apart(widest)],
            bundles,
            staged: StagedBuilder::default(),
        }
    }

    fn plan(mut self) -> StagedPlan {
        let parts = self.squares.parts();
        let per_part = self.bundles.len().div_ceil(parts);
        let steps = self.image_steps();
        let (whole, rest) = (self.conv.batch / self.images, self.conv.batch % self.images);
        for strip in self.squares.strips() {
            for part in even(self.bundles.len(), per_part) {
                for (images, groups) in [(self.images, 0..whole), (rest, whole..whole + 1)] {
                    if images == 0 {
                        continue;
                    }
                    let lines = self.of_images(&strip.lines, images);
                    let program = self.program(&lines, part.clone());
                    let first = groups.map(|group| (group * self.images) as i64);
                    let offsets =
                        first.map(|n| [strip.input + n * steps[0], strip.output + n * steps[1]]);
                    self.staged.strips(program, offsets);
                }
            }
        }
        let scratch = self.components.iter().sum::<i64>() * self.algorithm.components() as i64;
        self.staged.finish(scratch as u64)
    }

    /// Bytes from image to image, of input and output.
    fn image_steps(&self) -> [i64; 2] {
        let placements = [&self.conv.input_placement, &self.conv.output_placement];
        placements.map(|p| p.strides[0] * ELEMENT)
    }

    /// The lines of one image, in so many.
    fn of_images(&self, lines: &[Line], images: usize) -> Vec<Line> {
        let [input, output] = self.image_steps();
        let image = |n: usize| {
            lines.iter().map(move |line| Line {
                first: line.first + n * self.squares.per_strip(),
                input: line.input + n as i64 * input,
                output: line.output + n as i64 * output,
                ..line.clone()
            })
        };
        (0..images).flat_map(image).collect()
    }

    /// The rounds of a strip for some of the bundles.
    fn program(&mut self, lines: &[Line], part: std::ops::Range<usize>) -> Vec<Repeated> {
        let squares = lines.iter().map(|l| l.first + l.count).max().unwrap_or(0);
        let mut rounds = vec![Repeated {
            times: self.conv.in_channels.div_ceil(BLOCK),
            calls: lines.iter().map(|line| self.forward(line)).collect(),
        }];
        for bundle in part {
            rounds.push(Repeated {
                times: self.algorithm.components(),
                calls: self.products(bundle, squares),
            });
            rounds.push(Repeated {
                times: self.bundles[bundle].blocks.len(),
                calls: lines.iter().map(|line| self.back(bundle, line)).collect(),
            });
        }
        rounds
    }

    /// `V` of one block of input channels; repeated for every block.
    fn forward(&mut self, line: &Line) -> StageCall {
        let [_, row, pixel] = self.conv.input_placement.image_row_pixel();
        let size = self.algorithm.patch();
        let transform = Transform {
            map: self.algorithm.input(),
            input: Patch {
                row: row as i32,
                column: pixel as i32,
                next: (pixel * self.algorithm.size() as i64) as i32,
                rows: line.read[0].clone(),
                columns: line.read[1].clone(),
            },
            output: Patch {
                row: (self.components[0] * size as i64) as i32,
                column: self.components[0] as i32,
                next: VECTOR as i32,
                rows: 0..size,
                columns: 0..size,
            },
            between: Between::Output,
            patches: line.count as u32,
            below: (row * self.algorithm.size() as i64) as i32,
            bias: false,
            epilogue: Vec::new(),
        };
        StageCall {
            kernel: self.staged.kernel(transform),
            input: Moving::operand(line.input, self.conv.input_placement.strides[1] * ELEMENT),
            weights: Moving::constants(0),
            output: Moving::scratch(line.first as i64 * VECTOR, self.plane),
            bias: Moving::operand(0, 0),
        }
    }

    /// `M` of a bundle and one component; repeated for every component.
    fn products(&mut self, bundle: usize, squares: usize) -> Vec<StageCall> {
        let Bundle { groups, blocks } = &self.bundles[bundle];
        let first_block = blocks.start as i64 * self.plane;
        let mut calls = Vec::new();
        for number in groups.clone() {
            let group = &self.product.groups[number];
            let [weights, component] = self.filters.group(number);
            for unit in self
                .product
                .spatial
                .iter()
                .filter(|u| u.input < squares as i64 * VECTOR)
            {
                let tile = self.product.tiles[(group.first_tile + unit.tile) as usize].clone();
                let offset = group.output + unit.output - first_block;
                calls.push(StageCall {
                    kernel: self.staged.kernel(tile),
                    input: Moving::scratch(unit.input, self.components[0]),
                    weights: Moving::operand(weights, component),
                    output: Moving::scratch(self.products_at() + offset, self.components[1]),
                    bias: Moving::operand(0, 0),
                });
            }
        }
        calls
    }

    /// Where `M` lies in the scratch memory.
    fn products_at(&self) -> i64 {
        self.components[0] * self.algorithm.components() as i64
    }

    /// `y` of one block of a bundle; repeated for every block.
    fn back(&mut self, bundle: usize, line: &Line) -> StageCall {
        let placement = &self.conv.output_placement;
        let [_, row, pixel] = placement.image_row_pixel();
        let (size, patch) = (self.algorithm.size(), self.algorithm.patch());
        let blocks = self.bundles[bundle].blocks.clone();
        let transform = Transform {
            map: self.algorithm.output(),
            input: Patch {
                row: (self.components[1] * patch as i64) as i32,
                column: self.components[1] as i32,
                next: VECTOR as i32,
                rows: 0..patch,
                columns: 0..patch,
            },
            output: Patch {
                row: row as i32,
                column: pixel as i32,
                next: (pixel * size as i64) as i32,
                rows: line.write[0].clone(),
                columns: line.write[1].clone(),
            },
            between: Between::Input,
            patches: line.count as u32,
            below: (row * size as i64) as i32,
            bias: self.conv.bias,
            epilogue: self.conv.epilogue.clone(),
        };
        let plane = placement.strides[1] * ELEMENT;
        StageCall {
            kernel: self.staged.kernel(transform),
            input: Moving::scratch(self.products_at() + line.first as i64 * VECTOR, self.plane),
            weights: Moving::constants(self.algorithm.input().constants().len() as i64 * ELEMENT),
            output: Moving::operand(line.output + blocks.start as i64 * plane, plane),
            bias: Moving::operand(blocks.start as i64 * VECTOR, VECTOR),
        }
    }
}

/// Joins groups until they fill blocks of channels.
fn bundles(product: &Plan, channels: usize) -> Vec<Bundle> {
    let first_channel = |group: usize| match product.groups.get(group) {
        Some(group) => group.bias as usize / ELEMENT as usize,
        None => channels.next_multiple_of(BLOCK),
    };
    let (mut bundles, mut start) = (Vec::new(), 0);
    for end in 1..=product.groups.len() {
        let channel = first_channel(end);
        if channel.is_multiple_of(BLOCK) {
            bundles.push(Bundle {
                groups: start..end,
                blocks: first_channel(start) / BLOCK..channel / BLOCK,
            });
            start = end;
        }
    }
    bundles
}
