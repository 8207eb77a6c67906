//! Cutting an operator into register blocks: pixels into pieces, channels into columns, both into the shape that suits.

mod shape;

use super::choice::Tiling;
use super::packing::Packing;
use super::placement::Placement;
use super::plan::{ChannelGroup, Order, Plan, PlanError, SpatialUnit};
use super::reduction::{self, Segment, Window, constant};
use super::tile::{Column, ELEMENT, Init, Lanes, Pixel, Shape, Source, Step, Target, Tile};
pub(super) use shape::{Demand, even, narrowest};
use std::collections::HashMap;
use std::ops::Range;

/// Bytes of cache a core has to itself; only decides which loop is outside.
const PRIVATE_CACHE: usize = 512 << 10;

/// Bytes of cache that cores share; likewise.
const OUTER_CACHE: usize = 8 << 20;

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
    /// Source index of the first channel's filter in packed weights.
    pub filter: usize,
    /// Byte offset of the first input channel.
    pub input: i64,
    /// Output bytes added to the place of every channel.
    pub output: i64,
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
    /// Whether weights come from memory when they are first read.
    pub cold_weights: bool,
    /// Where the channels of a lane-by-lane source lie, whose input moves with the output channel.
    pub input: Placement,
    pub output: Placement,
}

/// Channels of one column.
#[derive(Clone, Copy)]
struct Piece {
    first: usize,
    channels: usize,
    filter: usize,
    /// Byte offset of the input they reduce over.
    input: i64,
    /// Byte offset of their first output.
    output: i64,
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
    /// Cuts the operator into tiles and calls, as is estimated to be quickest.
    ///
    /// # Errors
    /// If an offset does not fit a tile's constants.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let channels = self.all_pieces();
        self.tiled(self.ranked(&channels)[0], &channels)
    }

    /// As [`Blocking::plan`], in a given way.
    ///
    /// # Errors
    /// Also if its register block does not fit.
    pub fn plan_as(&self, tiling: Tiling) -> Result<Plan, PlanError> {
        let channels = self.all_pieces();
        let Shape { pixels, columns } = tiling.block;
        if self.demand(&channels).fits(tiling.block) {
            self.tiled(tiling, &channels)
        } else {
            let expected = "one that fits the registers";
            let found = format!("{pixels}x{columns}");
            Err(PlanError::geometry("the register block", expected, found))
        }
    }

    /// The ways to cut the operator, at least one, that which is estimated to be quickest first.
    pub fn tilings(&self) -> Vec<Tiling> {
        self.ranked(&self.all_pieces())
    }

    fn all_pieces(&self) -> Vec<Vec<Piece>> {
        self.channels
            .iter()
            .map(|range| self.pieces(range))
            .collect()
    }

    fn ranked(&self, channels: &[Vec<Piece>]) -> Vec<Tiling> {
        let sizes = |most| {
            let regions = self.regions.iter();
            regions
                .flat_map(|region| self.cut(region, most))
                .map(|(ys, xs)| ys.len() * xs.len())
                .collect::<Vec<usize>>()
        };
        let orders = |block: Shape| {
            let units = sizes(block.pixels).len() * self.images;
            let groups = channels
                .iter()
                .map(|all| even(all.len(), block.columns).count());
            match self.order(units, groups.sum()) {
                Order::GroupOuter => [Order::GroupOuter, Order::SpatialOuter],
                Order::SpatialOuter => [Order::SpatialOuter, Order::GroupOuter],
            }
        };
        let blocks = self.demand(channels).shapes(sizes).into_iter();
        blocks
            .flat_map(|block| orders(block).map(|order| Tiling { block, order }))
            .collect()
    }

    fn order(&self, units: usize, groups: usize) -> Order {
        if !self.source.is_lane_by_lane() {
            let bytes = [self.input_bytes, self.weight_bytes()];
            // Rows of a matrix are written piece by piece where groups are outside: all pages again for each.
            let scatters = groups > 1
                && self.output.block == 1
                && self.output_bytes() > OUTER_CACHE
                && bytes.iter().all(|b| *b <= PRIVATE_CACHE);
            return match scatters {
                true => Order::SpatialOuter,
                false => order(bytes, units, groups),
            };
        }
        // A group reads channels of its own, again and again from row to row.
        match self.input_bytes / groups.max(1) > PRIVATE_CACHE {
            true => Order::SpatialOuter,
            false => Order::GroupOuter,
        }
    }

    fn tiled(&self, tiling: Tiling, channels: &[Vec<Piece>]) -> Result<Plan, PlanError> {
        let shape = tiling.block;
        let (patterns, spatial) = self.spatial(shape.pixels)?;
        let mut packing = match self.weights {
            Weights::Packed { channel_stride } => {
                Some(Packing::new(&self.segments, channel_stride))
            }
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
            let Piece {
                first,
                filter,
                input,
                output,
                ..
            } = pieces[0];
            let count = pieces.iter().map(|piece| piece.channels).sum();
            let (weights, bias) = match &mut packing {
                Some(packing) => packing.push(first, filter, count, row_lanes(&columns)),
                None => (first as i64 * ELEMENT, first as i64 * ELEMENT),
            };
            groups.push(ChannelGroup {
                first_tile,
                input,
                weights,
                bias,
                output,
            });
        }
        Ok(Plan {
            tiles,
            spatial,
            groups,
            order: tiling.order,
            packing,
        })
    }

    fn output_bytes(&self) -> usize {
        let regions = self.regions.iter();
        let pixels: usize = regions.map(|r| r.rows.len() * r.columns.len()).sum();
        let channels: usize = self.channels.iter().map(|range| range.count).sum();
        self.images * pixels * channels * size_of::<f32>()
    }

    fn weight_bytes(&self) -> usize {
        let channels: usize = self.channels.iter().map(|range| range.count).sum();
        let rows: usize = self.segments.iter().map(Segment::elements).sum();
        channels * rows * size_of::<f32>()
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
            if self.source.is_lane_by_lane() {
                channels = self.input.run(first, channels);
                input += self.input.channel(first);
            }
            let lanes = narrowest(channels);
            let valid = if range.padded {
                lanes.count()
            } else {
                channels
            } as u8;
            let filter = match self.weights {
                Weights::Packed { channel_stride } => (first - range.first) * channel_stride,
                Weights::InPlace { .. } => 0,
            };
            pieces.push(Piece {
                first,
                channels,
                filter: range.filter + filter,
                input,
                output: range.output + self.output.channel(first),
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
                output: constant(piece.output - pieces[0].output)?,
                weights: 0,
            })
        };
        pieces.iter().map(column).collect()
    }

    fn demand(&self, channels: &[Vec<Piece>]) -> Demand<'_> {
        let is_partial = channels
            .iter()
            .flatten()
            .any(|piece| usize::from(piece.valid) < piece.lanes.count());
        Demand {
            target: self.target,
            source: self.source,
            epilogue: &self.epilogue,
            masks: is_partial.into(),
            columns: channels.iter().map(Vec::len).max().unwrap_or(0),
            taps: self.segments.iter().map(Segment::elements).sum(),
            row: self.innermost(),
            cold_weights: self.cold_weights,
            pixel_step: self.steps.pixel[0],
        }
    }

    /// Elements along the innermost axis of the reduction.
    fn innermost(&self) -> usize {
        let axes = self.segments.first().and_then(|s| s.axes.first());
        axes.map_or(1, |axis| axis.count)
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
                    bias: 0,
                    tile,
                    input,
                    output,
                });
            }
        }
        let image = |n: usize| {
            let [input, output] = self.steps.image.map(|step| step * n as i64);
            units.iter().map(move |u| SpatialUnit {
                input: u.input + input,
                output: u.output + output,
                ..*u
            })
        };
        Ok((patterns, (0..self.images).flat_map(image).collect()))
    }

    /// The offsets `(input, output)` of a region's pixels, block by block.
    fn blocks(&self, region: &Region, most: usize) -> Vec<Vec<(i64, i64)>> {
        let width = region.columns.len();
        let at = |y: usize, x: usize| {
            let (y, x) = (y + x / width, x % width);
            let [row, pixel] = [region.rows.start + y, region.columns.start + x].map(|i| i as i64);
            let offset = |side: usize| row * self.steps.row[side] + pixel * self.steps.pixel[side];
            (self.steps.origin + offset(0), offset(1))
        };
        let pixels = |(ys, xs): (Range<usize>, Range<usize>)| {
            ys.flat_map(|y| xs.clone().map(move |x| at(y, x))).collect()
        };
        self.cut(region, most).into_iter().map(pixels).collect()
    }

    /// Cuts a region into blocks of rows and columns. Where rows follow each other without a gap, they count as one.
    fn cut(&self, region: &Region, most: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let (height, width) = (region.rows.len(), region.columns.len());
        let continuous =
            |side: usize| self.steps.row[side] == width as i64 * self.steps.pixel[side];
        let (height, width) = if continuous(0) && continuous(1) {
            (1, height * width)
        } else {
            (height, width)
        };
        let rows = (most / width.max(1)).max(1);
        even(height, rows)
            .flat_map(|ys| even(width, most).map(move |xs| (ys.clone(), xs)))
            .collect()
    }
}

/// Walks an operand that does not fit the cache as seldom as possible. `bytes` are those that the spatial table and the
/// groups walk over.
pub(super) fn order(bytes: [usize; 2], units: usize, groups: usize) -> Order {
    let traffic = |bytes: usize, walks: usize| {
        if bytes > PRIVATE_CACHE {
            bytes.saturating_mul(walks)
        } else {
            bytes
        }
    };
    let group_outer = traffic(bytes[0], groups).saturating_add(bytes[1]);
    let spatial_outer = traffic(bytes[1], units).saturating_add(bytes[0]);
    if spatial_outer < group_outer {
        Order::SpatialOuter
    } else {
        Order::GroupOuter
    }
}

/// Elements of one row of weights.
fn row_lanes(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.lanes.count()).sum()
}
