//! Cutting an operator into register blocks: pixels into pieces, channels into columns, both into the shape that suits.

use super::packing::Packing;
use super::plan::{ChannelGroup, Order, Plan, PlanError, SpatialUnit};
use super::reduction::{self, Segment, Window, constant};
use super::tile::{Column, ELEMENT, Init, Lanes, Pixel, Shape, Source, Step, Target, Tile};
use std::collections::HashMap;
use std::ops::Range;

/// Multiply-adds in flight that hide their latency.
const LATENCY: usize = 8;

/// Fewest pixels that share their inputs enough for a sliding window to pay.
const MIN_WINDOW: usize = 4;

/// Pixels this many bytes apart fall into one set of the first cache, which holds but a few.
const PAGE: i64 = 4096;
const WAYS: usize = 8;

/// Bytes of cache a core has to itself; only decides which loop is outside.
const PRIVATE_CACHE: usize = 512 << 10;

/// Where an activation `[N, C, H, W]` lies, relative to its first element (of a plane with a halo: the first interior
/// element).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Channels stored side by side: 16 for NCHW16c, 1 for NCHW.
    pub block: usize,
    /// Elements from one image, one channel block, one row, one pixel to the next.
    pub strides: [i64; 4],
    /// Pixels of zeros around every plane that may be read: top, left, bottom, right.
    pub halo: [usize; 4],
}

impl Placement {
    /// A dense activation of `channels` planes of `height` x `width`, in blocks of `block`, with a halo.
    pub fn dense(
        block: usize,
        channels: usize,
        [height, width]: [usize; 2],
        halo: [usize; 4],
    ) -> Self {
        let row = ((width + halo[1] + halo[3]) * block) as i64;
        let plane = row * (height + halo[0] + halo[2]) as i64;
        let strides = [
            plane * channels.div_ceil(block) as i64,
            plane,
            row,
            block as i64,
        ];
        Placement {
            block,
            strides,
            halo,
        }
    }

    /// The byte offset of a channel of the first pixel.
    pub fn channel(&self, channel: usize) -> i64 {
        let (block, lane) = (channel / self.block, channel % self.block);
        (block as i64 * self.strides[1] + lane as i64) * ELEMENT
    }

    /// The byte strides of image, row and pixel.
    pub fn image_row_pixel(&self) -> [i64; 3] {
        [0, 2, 3].map(|axis| self.strides[axis] * ELEMENT)
    }

    /// Channels from `channel` on that lie side by side in memory, at most `limit`.
    fn run(&self, channel: usize, limit: usize) -> usize {
        if self.strides[1] == self.block as i64 {
            limit
        } else {
            limit.min(self.block - channel % self.block)
        }
    }
}

/// A rectangle of output pixels with the same window of taps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub window: Window,
}

/// Steps between neighbouring output pixels, in bytes: of the input and of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Input bytes to the first tap of the first pixel; negative where the window starts in the padding.
    pub origin: i64,
    pub image: [i64; 2],
    pub row: [i64; 2],
    pub pixel: [i64; 2],
}

/// How tiles read the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Rearranged beforehand; the source has this many elements from one output channel's filter to the next.
    Packed { channel_stride: usize },
    /// From a matrix of reduction rows x channels, whose rows are this many bytes apart. The bias is read in place, too.
    InPlace { row: i64 },
}

/// A set of output channels that reduce over the same input channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelRange {
    pub first: usize,
    pub count: usize,
    /// Byte offset of the first input channel.
    pub input: i64,
    /// Whether the lanes behind the last channel may be written.
    pub padded: bool,
}

/// Everything a plan is made from.
#[derive(Clone, Debug)]
pub struct Blocking {
    pub target: Target,
    pub source: Source,
    pub init: Init,
    pub epilogue: Vec<Step>,
    pub segments: Vec<Segment>,
    pub weights: Weights,
    pub images: usize,
    pub regions: Vec<Region>,
    pub steps: Steps,
    pub channels: Vec<ChannelRange>,
    /// Bytes of input read in all, each counted once.
    pub input_bytes: usize,
    /// Where the channels of [`Source::Lanes`] lie, whose input moves with the output channel.
    pub input: Placement,
    pub output: Placement,
}

/// Channels of one column.
#[derive(Clone, Copy)]
struct Piece {
    first: usize,
    channels: usize,
    /// Byte offset of the input they reduce over.
    input: i64,
    lanes: Lanes,
    valid: u8,
}

/// The pixels of a tile, relative to the first, and their window of taps.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Pattern {
    pixels: Vec<Pixel>,
    window: Window,
}

impl Blocking {
    /// Cuts the operator into tiles and calls.
    ///
    /// # Errors
    /// If an offset does not fit a tile's constants.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let channels: Vec<Vec<Piece>> = self
            .channels
            .iter()
            .map(|range| self.pieces(range))
            .collect();
        let partial = channels
            .iter()
            .flatten()
            .any(|piece| usize::from(piece.valid) < piece.lanes.count());
        let most_columns = channels.iter().map(Vec::len).max().unwrap_or(0);
        let shape = self.shape(most_columns, partial);
        let (patterns, spatial) = self.spatial(shape.pixels)?;
        let mut packing = match self.weights {
            Weights::Packed { channel_stride } => Some(Packing::new(
                reduction::rows(&self.segments),
                channel_stride,
            )),
            Weights::InPlace { .. } => None,
        };
        let (mut tiles, mut groups) = (Vec::new(), Vec::new());
        let mut variants: HashMap<Vec<Column>, u32> = HashMap::new();
        let calls = channels
            .iter()
            .flat_map(|all| even(all.len(), shape.columns).map(|range| &all[range]));
        for pieces in calls {
            let columns = self.columns(pieces)?;
            let first_tile = match variants.get(&columns) {
                Some(&first) => first,
                None => {
                    let first = tiles.len() as u32;
                    for pattern in &patterns {
                        tiles.push(self.tile(pattern, &columns)?);
                    }
                    variants.insert(columns.clone(), first);
                    first
                }
            };
            let Piece { first, input, .. } = pieces[0];
            let count = pieces.iter().map(|piece| piece.channels).sum();
            let (weights, bias) = match &mut packing {
                Some(packing) => packing.push(first, count, row_lanes(&columns)),
                None => (first as i64 * ELEMENT, first as i64 * ELEMENT),
            };
            groups.push(ChannelGroup {
                first_tile,
                input,
                weights,
                bias,
                output: self.output.channel(first),
            });
        }
        let order = self.order(spatial.len(), groups.len());
        Ok(Plan {
            tiles,
            spatial,
            groups,
            order,
            packing,
        })
    }

    fn tile(&self, pattern: &Pattern, columns: &[Column]) -> Result<Tile, PlanError> {
        let row = match self.weights {
            Weights::Packed { .. } => row_lanes(columns) as i64 * ELEMENT,
            Weights::InPlace { row } => row,
        };
        Ok(Tile {
            source: self.source,
            pixels: pattern.pixels.clone(),
            columns: columns.to_vec(),
            init: self.init,
            reduction: reduction::nests(&self.segments, row, &pattern.window)?,
            epilogue: self.epilogue.clone(),
        })
    }

    /// Cuts a range of channels into pieces of one vector each.
    fn pieces(&self, range: &ChannelRange) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut first, end) = (range.first, range.first + range.count);
        while first < end {
            let mut channels = self
                .output
                .run(first, end - first)
                .min(self.target.lanes().count());
            let mut input = range.input;
            if self.source == Source::Lanes {
                channels = self.input.run(first, channels);
                input = self.input.channel(first);
            }
            let lanes = narrowest(channels);
            let valid = if range.padded {
                lanes.count()
            } else {
                channels
            } as u8;
            pieces.push(Piece {
                first,
                channels,
                input,
                lanes,
                valid,
            });
            first += channels;
        }
        pieces
    }

    /// The columns of a call, relative to its first piece.
    fn columns(&self, pieces: &[Piece]) -> Result<Vec<Column>, PlanError> {
        let column = |piece: &Piece| {
            Ok(Column {
                lanes: piece.lanes,
                valid: piece.valid,
                input: constant(piece.input - pieces[0].input)?,
                output: constant(
                    self.output.channel(piece.first) - self.output.channel(pieces[0].first),
                )?,
            })
        };
        pieces.iter().map(column).collect()
    }

    /// Picks a register block by the work it leaves beside the multiply-adds, which every block does alike.
    fn shape(&self, columns: usize, partial: bool) -> Shape {
        let accumulators = self
            .target
            .accumulators(self.source, &self.epilogue, partial);
        let pixels = self
            .regions
            .iter()
            .map(|r| r.rows.len() * r.columns.len())
            .max()
            .unwrap_or(0);
        if let Some(shape) = self.sliding_window(accumulators) {
            return shape;
        }
        let aliased = self.steps.pixel[0] != 0 && self.steps.pixel[0] % PAGE == 0;
        let most_pixels = if aliased { WAYS } else { usize::MAX };
        let fitted = |shape: &Shape| {
            let columns = shape.columns.min(columns.max(1)).min(accumulators);
            let pixels = (shape.pixels * shape.columns).min(accumulators) / columns;
            Shape {
                pixels: pixels.min(most_pixels),
                columns,
            }
        };
        let cost = |shape: &Shape| {
            let blocks = pixels.div_ceil(shape.pixels) * columns.div_ceil(shape.columns);
            // A block shorter than the latency of its multiply-adds waits for them.
            let waiting = LATENCY.saturating_sub(pixels.min(shape.pixels) * shape.columns);
            let broadcasts = if self.target == Target::Avx512 {
                0
            } else {
                shape.pixels
            };
            blocks * (shape.columns + broadcasts + waiting + 1)
        };
        let fallback = Shape {
            pixels: 1,
            columns: 1,
        };
        self.target
            .shapes()
            .iter()
            .map(fitted)
            .min_by_key(cost)
            .unwrap_or(fallback)
    }

    /// For a depthwise window small enough to keep its weights in registers: one column, and as many pixels as fit beside
    /// the weights and one input vector.
    fn sliding_window(&self, accumulators: usize) -> Option<Shape> {
        let taps: usize = self.segments.iter().map(Segment::len).sum();
        let room = self.target.registers().checked_sub(taps + 2)?;
        (self.source == Source::Lanes && room >= MIN_WINDOW).then(|| Shape {
            pixels: room.min(accumulators),
            columns: 1,
        })
    }

    /// Cuts all regions of all images into blocks of at most `most` pixels. Returns the distinct blocks and the units.
    fn spatial(&self, most: usize) -> Result<(Vec<Pattern>, Vec<SpatialUnit>), PlanError> {
        let mut patterns = Vec::new();
        let mut index = HashMap::new();
        let mut units = Vec::new();
        for region in &self.regions {
            for block in self.blocks(region, most) {
                let Some(&(input, output)) = block.first() else {
                    continue;
                };
                let relative = |&(x, y): &(i64, i64)| {
                    Ok(Pixel {
                        input: constant(x - input)?,
                        output: constant(y - output)?,
                    })
                };
                let pixels = block
                    .iter()
                    .map(relative)
                    .collect::<Result<_, PlanError>>()?;
                let pattern = Pattern {
                    pixels,
                    window: region.window.clone(),
                };
                let tile = *index.entry(pattern.clone()).or_insert_with(|| {
                    patterns.push(pattern);
                    patterns.len() as u32 - 1
                });
                units.push(SpatialUnit {
                    tile,
                    input,
                    output,
                });
            }
        }
        let image = |n: usize| {
            let [input, output] = self.steps.image.map(|step| step * n as i64);
            units.iter().map(move |u| SpatialUnit {
                tile: u.tile,
                input: u.input + input,
                output: u.output + output,
            })
        };
        Ok((patterns, (0..self.images).flat_map(image).collect()))
    }

    /// The offsets `(input, output)` of a region's pixels, block by block.
    fn blocks(&self, region: &Region, most: usize) -> Vec<Vec<(i64, i64)>> {
        let (height, width) = (region.rows.len(), region.columns.len());
        let at = |y: usize, x: usize| {
            let [row, pixel] = [region.rows.start + y, region.columns.start + x].map(|i| i as i64);
            let offset = |side: usize| row * self.steps.row[side] + pixel * self.steps.pixel[side];
            (self.steps.origin + offset(0), offset(1))
        };
        let continuous =
            |side: usize| self.steps.row[side] == width as i64 * self.steps.pixel[side];
        if continuous(0) && continuous(1) {
            let pixels = |range: Range<usize>| range.map(|i| at(i / width, i % width)).collect();
            return even(height * width, most).map(pixels).collect();
        }
        let rows = (most / width.max(1)).max(1);
        even(height, rows)
            .flat_map(|ys| even(width, most).map(move |xs| (ys.clone(), xs)))
            .map(|(ys, xs)| {
                ys.flat_map(|y| xs.clone().map(move |x| (y, x)))
                    .map(|(y, x)| at(y, x))
                    .collect()
            })
            .collect()
    }

    /// Walks an operand that does not fit the cache as seldom as possible.
    fn order(&self, units: usize, groups: usize) -> Order {
        let channels: usize = self.channels.iter().map(|range| range.count).sum();
        let rows: usize = self.segments.iter().map(Segment::len).sum();
        let weights = channels * rows * size_of::<f32>();
        let traffic = |bytes: usize, walks: usize| {
            if bytes > PRIVATE_CACHE {
                bytes.saturating_mul(walks)
            } else {
                bytes
            }
        };
        let group_outer = traffic(self.input_bytes, groups) + weights;
        let spatial_outer = traffic(weights, units) + self.input_bytes;
        if spatial_outer < group_outer {
            Order::SpatialOuter
        } else {
            Order::GroupOuter
        }
    }
}

/// Elements of one row of weights.
fn row_lanes(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.lanes.count()).sum()
}

/// The narrowest vector with room for `channels`, of those there are.
fn narrowest(channels: usize) -> Lanes {
    match channels {
        0..=4 => Lanes::Four,
        5..=8 => Lanes::Eight,
        _ => Lanes::Sixteen,
    }
}

/// Cuts `0..count` into as few ranges of at most `most` as possible, of nearly equal length.
fn even(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let ranges = count.div_ceil(most.max(1));
    (0..ranges).map(move |i| i * count / ranges..(i + 1) * count / ranges)
}
