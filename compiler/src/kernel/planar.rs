//! Convolution on plain planes (NCHW) with the weights where they are: nothing is packed or rearranged.
//!
//! The roles are swapped: a tile's pixels are output channels, its vectors neighbouring output positions of a row. It broadcasts
//! a weight and multiplies it with a piece of an input row, so the columns' stride must be 1. Lanes whose tap lies in the padding beside a row are masked;
//! kernel rows above and below the input are left out. For weights that change from run to run, and for activations that
//! must stay plain.

mod lines;

use super::blocking::{even, narrowest, order};
use super::conv::ConvGeometry;
use super::plan::{ChannelGroup, Plan, PlanError, SpatialUnit};
use super::reduction::{Axis, CHUNK, Segment, UNROLL, constant};
use super::tile::{Column, ELEMENT, Init, Nest, Pixel, Source, Target, Tile, check};
use lines::{Line, Variant};
use std::collections::HashMap;
use std::ops::Range;

/// Element strides of the weights of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterStrides {
    /// From the start of the tensor to the first tap of the first filter.
    pub first: i64,
    pub group: i64,
    /// From one output channel of a group to the next.
    pub output: i64,
    /// From one input channel of a group to the next.
    pub input: i64,
    pub row: i64,
    pub column: i64,
}

impl FilterStrides {
    /// Dense weights `[out_channels, in_channels/groups, kh, kw]` (ONNX Conv).
    pub fn dense(conv: &ConvGeometry) -> Self {
        let [rows, columns] = conv.kernel.map(|extent| extent as i64);
        let input = rows * columns;
        let output = input * (conv.in_channels / conv.groups.max(1)) as i64;
        let group = output * (conv.out_channels / conv.groups.max(1)) as i64;
        FilterStrides {
            first: 0,
            group,
            output,
            input,
            row: columns,
            column: 1,
        }
    }

    /// Dense weights `[in_channels, out_channels/groups, kh, kw]` with every window turned by half a turn: the transposed
    /// convolution (ONNX ConvTranspose) of stride 1, and so the gradient of a convolution with respect to its input.
    pub fn turned(conv: &ConvGeometry) -> Self {
        let [rows, columns] = conv.kernel.map(|extent| extent as i64);
        let output = rows * columns;
        let input = output * (conv.out_channels / conv.groups.max(1)) as i64;
        let group = input * (conv.in_channels / conv.groups.max(1)) as i64;
        FilterStrides {
            first: output - 1,
            group,
            output,
            input,
            row: -columns,
            column: -1,
        }
    }
}

/// Plans a convolution whose weights lie as `filter` says. The plan has no packing, and its weights and input change places:
/// its `input` is the weights, its `weights` the activation.
///
/// # Errors
/// If the geometry is inconsistent, a layout is blocked, the column stride is not 1, the kernel is too wide to
/// unroll, or the target has too few masks.
pub fn plan(
    conv: &ConvGeometry,
    filter: &FilterStrides,
    target: Target,
) -> Result<Plan, PlanError> {
    conv.check()?;
    for placement in [&conv.input_placement, &conv.output_placement] {
        if placement.block != 1 || placement.strides[3] != 1 {
            return Err(PlanError::geometry(
                "the distance of a row's pixels",
                1,
                placement.strides[3],
            ));
        }
    }
    if conv.strides[1] != 1 {
        return Err(PlanError::geometry("the column stride", 1, conv.strides[1]));
    }
    if conv.kernel[1] > UNROLL {
        return Err(PlanError::geometry(
            "the kernel's columns",
            format!("at most {UNROLL}"),
            conv.kernel[1],
        ));
    }
    Planar {
        conv,
        filter,
        target,
    }
    .plan()
}

struct Planar<'a> {
    conv: &'a ConvGeometry,
    filter: &'a FilterStrides,
    target: Target,
}

impl Planar<'_> {
    fn plan(&self) -> Result<Plan, PlanError> {
        let conv = self.conv;
        let (group_in, group_out) = (
            conv.in_channels / conv.groups,
            conv.out_channels / conv.groups,
        );
        let lines = self.lines(conv.output()?);
        let shape = self.shape(&lines);
        let (counts, spatial) = self.channels(group_out, shape.pixels);
        let (mut tiles, mut groups) = (Vec::new(), Vec::new());
        let mut variants: HashMap<Variant, u32> = HashMap::new();
        for piece in lines
            .iter()
            .flat_map(|line| self.pieces(line, shape.columns))
        {
            let variant = self.variant(&piece);
            let first_tile = match variants.get(&variant) {
                Some(&first) => first,
                None => {
                    let first = tiles.len() as u32;
                    for &count in &counts {
                        tiles.push(self.tile(count, &variant)?);
                    }
                    variants.insert(variant, first);
                    first
                }
            };
            groups.extend(self.calls(&piece, first_tile));
        }
        let bytes = |elements: usize| elements * size_of::<f32>();
        let weights = bytes(conv.out_channels * group_in * conv.window_len());
        let input = bytes(conv.batch * conv.in_channels * conv.input[0] * conv.input[1]);
        let order = order([weights, input], spatial.len(), groups.len());
        Ok(Plan {
            tiles,
            spatial,
            groups,
            order,
            packing: None,
        })
    }

    /// Blocks of at most `most` output channels of a group: their distinct sizes, and the units.
    fn channels(&self, channels: usize, most: usize) -> (Vec<usize>, Vec<SpatialUnit>) {
        let mut counts: Vec<usize> = Vec::new();
        let unit = |block: Range<usize>| {
            let tile = counts
                .iter()
                .position(|&count| count == block.len())
                .unwrap_or_else(|| {
                    counts.push(block.len());
                    counts.len() - 1
                });
            let first = block.start as i64;
            SpatialUnit {
                tile: tile as u32,
                input: first * self.filter.output * ELEMENT,
                output: self.conv.output_placement.channel(block.start),
                bias: first * ELEMENT,
            }
        };
        let units = even(channels, most).map(unit).collect();
        (counts, units)
    }

    /// A piece of a line in every image and group of channels.
    fn calls(&self, piece: &Line, first_tile: u32) -> impl Iterator<Item = ChannelGroup> {
        let conv = self.conv;
        let (group_in, group_out) = (
            conv.in_channels / conv.groups,
            conv.out_channels / conv.groups,
        );
        let [in_image, in_row, in_pixel] = conv.input_placement.image_row_pixel();
        let [out_image, out_row, out_pixel] = conv.output_placement.image_row_pixel();
        let column = piece.column as i64;
        let top = (piece.row * conv.strides[0]) as i64 - conv.pads[0] as i64;
        let weights = top * in_row + (column - conv.pads[1] as i64) * in_pixel;
        let output = piece.row as i64 * out_row + column * out_pixel;
        let group_stride = self.filter.group * ELEMENT;
        (0..conv.batch * conv.groups).map(move |call| {
            let (image, group) = ((call / conv.groups) as i64, call % conv.groups);
            ChannelGroup {
                first_tile,
                input: group as i64 * group_stride,
                weights: weights
                    + image * in_image
                    + conv.input_placement.channel(group * group_in),
                bias: (group * group_out) as i64 * ELEMENT,
                output: output
                    + image * out_image
                    + conv.output_placement.channel(group * group_out),
            }
        })
    }

    fn tile(&self, channels: usize, variant: &Variant) -> Result<Tile, PlanError> {
        let pixel = |channel: usize| {
            Ok(Pixel {
                input: constant(channel as i64 * self.filter.output * ELEMENT)?,
                output: constant(self.conv.output_placement.channel(channel))?,
            })
        };
        let width = self.target.lanes().count();
        let column = |start: usize| {
            let valid = width.min(variant.len - start);
            let output = start as i32 * ELEMENT as i32;
            Column {
                lanes: narrowest(valid),
                valid: valid as u8,
                input: 0,
                output,
                weights: 0,
            }
        };
        let tile = Tile {
            source: Source::Broadcast,
            pixels: (0..channels).map(pixel).collect::<Result<_, PlanError>>()?,
            columns: (0..variant.len).step_by(width).map(column).collect(),
            init: if self.conv.bias {
                Init::PixelBias
            } else {
                Init::Zero
            },
            reduction: self.reduction(variant)?,
            epilogue: self.conv.epilogue.clone(),
        };
        check(&tile, self.target)?;
        Ok(tile)
    }

    /// Input channels in chunks that unroll together with the window, then the rest of them.
    fn reduction(&self, variant: &Variant) -> Result<Vec<Nest>, PlanError> {
        let conv = self.conv;
        let window = [variant.rows.clone(), 0..conv.kernel[1]];
        let channels = conv.in_channels / conv.groups;
        let chunk = (UNROLL / conv.window_len()).clamp(1, CHUNK);
        let (whole, rest) = (channels / chunk, channels % chunk);
        let plane = conv.input_placement.strides[1] * ELEMENT;
        let [columns, rows] = conv.window_axes();
        let filter = |axis: Axis, stride: i64| Axis {
            input: stride * ELEMENT,
            ..axis
        };
        let axes = |inner: usize, outer: usize| {
            vec![
                Axis::channel(inner, self.filter.input * ELEMENT, 0),
                filter(columns, self.filter.column),
                filter(rows, self.filter.row),
                Axis::channel(outer, self.filter.input * ELEMENT * chunk as i64, 0),
            ]
        };
        let strides = [plane, columns.input, rows.input, plane * chunk as i64];
        let mut nests = Vec::new();
        for (first, axes) in [(0, axes(chunk, whole)), (whole * chunk, axes(rest, 1))] {
            let input = (self.filter.first + first as i64 * self.filter.input) * ELEMENT;
            let segment = Segment {
                input,
                filter: 0,
                axes,
            };
            nests.extend(segment.nest(first as i64 * plane, &strides, &window, &variant.clips)?);
        }
        Ok(nests)
    }
}
