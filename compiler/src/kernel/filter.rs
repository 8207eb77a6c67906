//! The gradient of a convolution's weights as plans of tiles.
//!
//! `dw[m, c, kh, kw] = sum over n, i, j of dy[n, m, i, j] * x[n, c, i*s - p + kh*d, j*s - p + kw*d]`
//!
//! Roles are exchanged: what a tile calls pixels are pairs of an input channel and a kernel position, its weights are the gradient of
//! the output, and it reduces over images and output positions. Columns are output channels, so that the result lies *scattered*: in
//! blocks of sixteen output channels, each a matrix of rows `(c, kh, kw)`; [`Scattered::copies`] brings it into the order of weights.
//!
//! The reduction is cut into runs of images that stay in a core's cache while all tiles walk over them; every plan but the first adds
//! to what is there. Where the input has no halo, kernel positions that lose different outputs to the padding have tiles of their own.
//!
//! Where every channel has its own filter, lanes are channels of both operands, pixels are kernel positions, and a block's planes are
//! walked over but once or twice, so that nothing is cut. Other groups are whole blocks, each with tiles over its own input channels.

use super::blocking::even;
use super::choice::Tiling;
use super::conv::{ConvGeometry, aligned};
use super::packing::{BlockCopy, CopyAxis};
use super::placement::Placement;
use super::plan::{ChannelGroup, Order, Plan, PlanError, SpatialUnit};
use super::reduction::{Axis, CHUNK, Segment, UNROLL, constant};
use super::tile::{Column, ELEMENT, Init, Lanes, Nest, Pixel, Shape, Source, Target, Tile};
use std::ops::Range;

/// Output channels of a block.
const BLOCK: usize = Lanes::Sixteen.count();

/// Bytes of a row of a block.
const ROW: i64 = Lanes::Sixteen.bytes();

/// Bytes of both operands that tiles walk over again and again.
const RESIDENT: usize = 512 << 10;

/// Plans that run one after the other.
#[derive(Clone, Debug)]
pub struct FilterPlan {
    /// Each with the byte offsets of its first image in the input and in the gradient of the output.
    pub plans: Vec<(Plan, [i64; 2])>,
    pub scattered: Scattered,
}

/// A result in blocks of sixteen output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scattered {
    pub out_channels: usize,
    /// Rows of a block: `c * kh * kw`, `c` the input channels of a filter.
    pub rows: usize,
}

/// Plans the filter gradient of `conv`, whose output placement is that of the gradient of the output.
///
/// # Errors
/// If the geometry is inconsistent, if groups of several channels are no whole blocks, or if the gradient of the output is not
/// blocked, of a depthwise convolution the input, too.
pub fn plan(conv: &ConvGeometry, target: Target) -> Result<FilterPlan, PlanError> {
    conv.check()?;
    let filter = Filter { conv, target };
    if conv.groups > 1 && !filter.is_depthwise() {
        let [inputs, outputs] = [conv.in_channels, conv.out_channels].map(|n| n / conv.groups);
        let block = conv.input_placement.block;
        aligned("the input channels of a group", inputs, block, true)?;
        if !outputs.is_multiple_of(BLOCK) {
            let what = "the output channels of a group";
            let expected = format!("a multiple of {BLOCK}");
            return Err(PlanError::geometry(what, expected, outputs));
        }
    }
    let mut blocks = vec![("the block of the output's gradient", conv.output_placement)];
    if filter.is_depthwise() {
        blocks.push(("the block of the input", conv.input_placement));
    }
    for (what, Placement { block, .. }) in blocks {
        if block != BLOCK {
            return Err(PlanError::geometry(what, BLOCK, block));
        }
    }
    let images = [&conv.input_placement, &conv.output_placement].map(|p| p.strides[0] * ELEMENT);
    let bytes = (images[0] + images[1]).max(1) as usize;
    let most = match filter.is_depthwise() {
        true => conv.batch,
        false => (RESIDENT / bytes).clamp(1, conv.batch),
    };
    let plans = even(conv.batch, most).map(|run| {
        let plan = filter.plan(
            run.len(),
            if run.start == 0 {
                Init::Zero
            } else {
                Init::Accumulate
            },
        )?;
        Ok((plan, images.map(|bytes| bytes * run.start as i64)))
    });
    Ok(FilterPlan {
        plans: plans.collect::<Result<_, PlanError>>()?,
        scattered: Scattered {
            out_channels: conv.out_channels,
            rows: filter.rows(),
        },
    })
}

/// The register block of a filter gradient's tiles, and their order.
pub fn tiling(conv: &ConvGeometry, target: Target) -> Tiling {
    let filter = Filter { conv, target };
    let columns = filter.columns().iter().map(Vec::len).max().unwrap_or(1);
    Tiling {
        block: Shape {
            pixels: filter.pixels(columns),
            columns,
        },
        order: Order::GroupOuter,
    }
}

impl Scattered {
    /// Its elements.
    pub fn len(&self) -> usize {
        self.out_channels.next_multiple_of(BLOCK) * self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What brings the scattered result into the order `[out_channels, in_channels, kh, kw]`.
    pub fn copies(&self) -> Vec<BlockCopy> {
        let (whole, rest) = (self.out_channels / BLOCK, self.out_channels % BLOCK);
        let copy = |first: usize, blocks: usize, lanes: usize| BlockCopy {
            source: first * BLOCK * self.rows,
            target: first * BLOCK * self.rows,
            axes: vec![
                CopyAxis {
                    count: blocks,
                    source: BLOCK * self.rows,
                    target: BLOCK * self.rows,
                },
                CopyAxis {
                    count: self.rows,
                    source: BLOCK,
                    target: 1,
                },
                CopyAxis {
                    count: lanes,
                    source: 1,
                    target: self.rows,
                },
            ],
        };
        let parts = [(0, whole, BLOCK), (whole, 1, rest)];
        let parts = parts
            .into_iter()
            .filter(|(_, blocks, lanes)| blocks * lanes > 0);
        parts
            .map(|(first, blocks, lanes)| copy(first, blocks, lanes))
            .collect()
    }
}

struct Filter<'a> {
    conv: &'a ConvGeometry,
    target: Target,
}

/// Byte offsets `[input, output]` of a block's first pixel, and all its pixels relative to that.
type PixelBlock = ([i64; 2], Vec<Pixel>);

/// Kernel positions that the same outputs meet.
struct Class {
    positions: Vec<[usize; 2]>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Filter<'_> {
    /// Whether every channel has its own filter.
    fn is_depthwise(&self) -> bool {
        let groups = self.conv.groups;
        groups > 1 && [self.conv.in_channels, self.conv.out_channels] == [groups; 2]
    }

    fn source(&self) -> Source {
        match self.is_depthwise() {
            true => Source::Lanes,
            false => Source::Broadcast,
        }
    }

    /// Input channels that a filter reads.
    fn channels(&self) -> usize {
        self.conv.in_channels / self.conv.groups
    }

    fn rows(&self) -> usize {
        self.channels() * self.conv.window_len()
    }

    fn plan(&self, images: usize, init: Init) -> Result<Plan, PlanError> {
        let columns = self.columns();
        let most = self.pixels(columns.iter().map(Vec::len).max().unwrap_or(1));
        let (mut patterns, mut spatial) = (Vec::new(), Vec::new());
        for class in self.classes() {
            for (origin, pixels) in self.pixel_blocks(&class, most)? {
                let pattern = (pixels, self.reduction(&class, images)?);
                let known = patterns.iter().position(|p| *p == pattern);
                let tile = known.unwrap_or(patterns.len());
                if known.is_none() {
                    patterns.push(pattern);
                }
                spatial.push(SpatialUnit {
                    tile: tile as u32,
                    input: origin[0],
                    output: origin[1],
                    bias: 0,
                });
            }
        }
        let (mut tiles, mut groups) = (Vec::new(), Vec::new());
        let mut shapes: Vec<(Vec<Column>, u32)> = Vec::new();
        let plane = self.conv.output_placement.strides[1] * ELEMENT;
        let mut block = 0;
        for columns in columns {
            let first_tile = match shapes.iter().find(|(known, _)| *known == columns) {
                Some((_, first)) => *first,
                None => {
                    let first = tiles.len() as u32;
                    tiles.extend(patterns.iter().map(|(pixels, reduction)| Tile {
                        source: self.source(),
                        pixels: pixels.clone(),
                        columns: columns.clone(),
                        init,
                        reduction: reduction.clone(),
                        epilogue: Vec::new(),
                    }));
                    shapes.push((columns.clone(), first));
                    first
                }
            };
            groups.push(ChannelGroup {
                first_tile,
                input: self.input_of(block as usize),
                weights: block * plane,
                bias: 0,
                output: block * self.rows() as i64 * ROW,
            });
            block += (columns.len() / self.halves()) as i64;
        }
        Ok(Plan {
            tiles,
            spatial,
            groups,
            order: Order::GroupOuter,
            packing: None,
        })
    }

    /// Byte offset of the input channels that the filters of a block of output channels read.
    fn input_of(&self, block: usize) -> i64 {
        let first = match self.is_depthwise() {
            true => block * BLOCK,
            false => {
                let group = block * BLOCK / (self.conv.out_channels / self.conv.groups);
                group * self.channels()
            }
        };
        self.conv.input_placement.channel(first)
    }

    /// Columns that a block of output channels takes.
    fn halves(&self) -> usize {
        BLOCK / self.target.lanes().count()
    }

    /// The columns of each call: whole blocks of output channels, as many as suit.
    fn columns(&self) -> Vec<Vec<Column>> {
        let per_call = match self.is_depthwise() {
            true => 1,
            false => (4 / self.halves()).clamp(1, 2),
        };
        let (parts, blocks) = match self.is_depthwise() {
            true => (1, self.conv.out_channels.div_ceil(BLOCK)),
            false => {
                let channels = self.conv.out_channels / self.conv.groups;
                (self.conv.groups, channels.div_ceil(BLOCK))
            }
        };
        let plane = self.conv.output_placement.strides[1] * ELEMENT;
        let lanes = self.target.lanes();
        (0..parts)
            .flat_map(|_| even(blocks, per_call))
            .map(|blocks| {
                let column = |k: usize| {
                    let (block, half) = (k / self.halves(), k % self.halves());
                    let within = half as i64 * lanes.bytes();
                    let output = block as i64 * self.rows() as i64 * ROW + within;
                    let weights = block as i64 * plane + within - k as i64 * lanes.bytes();
                    Column {
                        weights: weights as i32,
                        input: if self.is_depthwise() {
                            within as i32
                        } else {
                            0
                        },
                        ..Column::full(lanes, output as i32)
                    }
                };
                (0..blocks.len() * self.halves()).map(column).collect()
            })
            .collect()
    }

    /// Pixels of a tile beside so many columns.
    fn pixels(&self, columns: usize) -> usize {
        self.target.tallest(columns, self.source(), &[], 0).max(1)
    }

    fn classes(&self) -> Vec<Class> {
        let output = self.conv.output().unwrap_or([0; 2]);
        let met = |axis: usize, tap: usize| {
            let readable = self
                .conv
                .input_placement
                .readable(axis, self.conv.input[axis]);
            let at = |o: usize| {
                (o * self.conv.strides[axis] + tap * self.conv.dilations[axis]) as i64
                    - self.conv.pads[axis] as i64
            };
            let inside = |o: &usize| readable.contains(&at(*o));
            let first = (0..output[axis]).find(inside);
            let end = (0..output[axis]).rfind(inside).map_or(0, |o| o + 1);
            first.unwrap_or(end)..end
        };
        let mut classes: Vec<Class> = Vec::new();
        for kh in 0..self.conv.kernel[0] {
            for kw in 0..self.conv.kernel[1] {
                let (rows, columns) = (met(0, kh), met(1, kw));
                let mut alike = classes.iter_mut();
                match alike.find(|c| c.rows == rows && c.columns == columns) {
                    Some(class) => class.positions.push([kh, kw]),
                    None => classes.push(Class {
                        positions: vec![[kh, kw]],
                        rows,
                        columns,
                    }),
                }
            }
        }
        classes
    }

    /// The pixels of a class in blocks.
    fn pixel_blocks(&self, class: &Class, most: usize) -> Result<Vec<PixelBlock>, PlanError> {
        let placement = &self.conv.input_placement;
        let [_, row, pixel] = placement.image_row_pixel();
        let window = self.conv.window_len();
        let place = |c: usize, [kh, kw]: [usize; 2]| {
            let [dh, dw] = self.conv.dilations;
            let input = placement.channel(c) + (kh * dh) as i64 * row + (kw * dw) as i64 * pixel;
            let output = (c * window + kh * self.conv.kernel[1] + kw) as i64 * ROW;
            [input, output]
        };
        let channels = 0..self.channels();
        // Channels of one block lie alike for every position; of planes all pairs go together.
        let runs: Vec<Vec<[i64; 2]>> = if placement.block > 1 && !self.is_depthwise() {
            let blocks = channels.clone().step_by(placement.block);
            let lanes = |first: usize| first..(first + placement.block).min(channels.end);
            blocks
                .flat_map(|first| class.positions.iter().map(move |p| (first, *p)))
                .map(|(first, p)| lanes(first).map(|c| place(c, p)).collect())
                .collect()
        } else {
            let pairs = channels.flat_map(|c| class.positions.iter().map(move |p| (c, *p)));
            vec![pairs.map(|(c, p)| place(c, p)).collect()]
        };
        let mut blocks = Vec::new();
        for run in runs {
            for range in even(run.len(), most) {
                let origin = run[range.start];
                let relative = run[range].iter().map(|[input, output]| {
                    Ok(Pixel {
                        input: constant(input - origin[0])?,
                        output: constant(output - origin[1])?,
                    })
                });
                blocks.push((origin, relative.collect::<Result<_, PlanError>>()?));
            }
        }
        Ok(blocks)
    }

    /// Images and output positions of a class: the columns of a row innermost, unrolled.
    fn reduction(&self, class: &Class, images: usize) -> Result<Vec<Nest>, PlanError> {
        let [x_image, x_row, x_pixel] = self.conv.input_placement.image_row_pixel();
        let [y_image, y_row, y_pixel] = self.conv.output_placement.image_row_pixel();
        let [down, right] = self.conv.strides.map(|s| s as i64);
        let (first_row, first_column) = (class.rows.start as i64, class.columns.start as i64);
        let input = (first_row * down - self.conv.pads[0] as i64) * x_row
            + (first_column * right - self.conv.pads[1] as i64) * x_pixel;
        let weights = first_row * y_row + first_column * y_pixel;
        let outer = [
            (class.rows.len(), x_row * down, y_row),
            (images, x_image, y_image),
        ];
        let count = class.columns.len();
        let chunk = if count <= UNROLL { count } else { CHUNK };
        let (chunks, rest) = match chunk {
            0 => (0, 0),
            chunk => (count / chunk, count % chunk),
        };
        let mut nests = Vec::new();
        for (first, length, repeated) in [(0, chunk, chunks), (chunks * chunk, rest, 1)] {
            let mut axes = vec![(length, x_pixel * right, y_pixel)];
            axes.extend(outer);
            axes.push((
                repeated,
                x_pixel * right * chunk as i64,
                y_pixel * chunk as i64,
            ));
            let segment = Segment {
                input: input + first as i64 * x_pixel * right,
                filter: 0,
                axes: axes
                    .iter()
                    .map(|&(n, x, _)| Axis::channel(n, x, 0))
                    .collect(),
            };
            if axes.iter().any(|axis| axis.0 == 0) {
                continue;
            }
            let strides: Vec<i64> = axes.iter().map(|axis| axis.2).collect();
            let weights = weights + first as i64 * y_pixel;
            nests.extend(segment.nest(weights, &strides, &[0..1, 0..1], &[])?);
        }
        Ok(nests)
    }
}
