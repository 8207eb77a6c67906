//! Convolution as a plan of tiles: any kernel size, stride, dilation and padding, grouped or not.
//!
//! `y[n, oc, i, j] = bias[oc] + sum over ic, kh, kw of w[oc, ic, kh, kw] * x[n, ic, i*s - p + kh*d, j*s - p + kw*d]`
//! (ONNX Conv). Pixels are output positions, columns output channels, and the reduction runs over the real input
//! channels only: what a blocked layout's padding lanes hold is never multiplied.
//!
//! Padding costs nothing where the input has a halo of zeros; where it has none, the output is cut into regions whose
//! tiles leave out the taps that would read it.

use super::blocking::{Blocking, ChannelRange, Region, Steps, Weights};
use super::placement::Placement;
use super::plan::{Plan, PlanError};
use super::reduction::{Axis, CHUNK, Segment, UNROLL, Window, chunked};
use super::tile::{ELEMENT, Init, Source, Step, Target};
use std::fmt;
use std::ops::Range;

/// A two-dimensional convolution. Pairs are (height, width).
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGeometry {
    pub batch: usize,
    pub groups: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    pub input_placement: Placement,
    /// Also of the residual.
    pub output_placement: Placement,
    pub bias: bool,
    pub epilogue: Vec<Step>,
}

/// Plans a convolution; weights are packed from `[out_channels, in_channels/groups, kh, kw]`.
///
/// # Errors
/// As for [`blocking`], or if an offset does not fit a tile's constants.
pub fn plan(conv: &ConvGeometry, target: Target) -> Result<Plan, PlanError> {
    blocking(conv, target)?.plan()
}

/// A convolution to be cut into tiles.
///
/// # Errors
/// If the geometry is inconsistent, if the channels of a group do not align with the blocks of a layout, or if the
/// output's channels do not lie side by side.
pub fn blocking(conv: &ConvGeometry, target: Target) -> Result<Blocking, PlanError> {
    conv.check()?;
    let (group_in, group_out) = (
        conv.in_channels / conv.groups,
        conv.out_channels / conv.groups,
    );
    let grouped = conv.groups > 1;
    aligned(
        "input channels of a group",
        group_in,
        conv.input_placement.block,
        grouped,
    )?;
    aligned(
        "output channels of a group",
        group_out,
        conv.output_placement.block,
        grouped,
    )?;
    side_by_side(&conv.output_placement, conv.out_channels)?;
    let filter_len = group_in * conv.window_len();
    let channels = (0..conv.groups).map(|group| ChannelRange {
        first: group * group_out,
        count: group_out,
        filter: group * group_out * filter_len,
        input: conv.input_placement.channel(group * group_in),
        output: 0,
        padded: !grouped && conv.output_placement.block > 1,
    });
    Ok(Blocking {
        segments: segments(
            &conv.input_placement,
            Axis::channel(group_in, 0, conv.window_len()),
            conv.window_axes(),
        ),
        weights: Weights::Packed {
            channel_stride: filter_len,
        },
        channels: channels.collect(),
        ..conv.blocking(Source::Broadcast, target)?
    })
}

/// One line that tells apart what kernels are chosen for.
impl fmt::Display for ConvGeometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([h, w], [kh, kw]) = (self.input, self.kernel);
        write!(f, "conv {}x{}x{h}x{w}", self.batch, self.in_channels)?;
        write!(f, " {}x{kh}x{kw}", self.out_channels)?;
        for (name, [rows, columns]) in [("stride", self.strides), ("dilation", self.dilations)] {
            write!(f, " {name}={rows}x{columns}")?;
        }
        let [top, left, bottom, right] = self.pads;
        write!(
            f,
            " pads={top},{left},{bottom},{right} groups={}",
            self.groups
        )?;
        let blocks = [self.input_placement.block, self.output_placement.block];
        write!(f, " blocks={},{}", blocks[0], blocks[1])?;
        f.write_str(if self.bias { " bias" } else { "" })?;
        write!(f, " steps={}", self.epilogue.len())?;
        let residual = self.epilogue.contains(&Step::AddResidual);
        f.write_str(if residual { " residual" } else { "" })
    }
}

impl ConvGeometry {
    /// Height and width of the output.
    ///
    /// # Errors
    /// If a window is larger than the padded input, or a parameter is zero.
    pub fn output(&self) -> Result<[usize; 2], PlanError> {
        let mut output = [0; 2];
        for (axis, extent) in output.iter_mut().enumerate() {
            let (kernel, stride, dilation) =
                (self.kernel[axis], self.strides[axis], self.dilations[axis]);
            if kernel == 0 || stride == 0 || dilation == 0 {
                return Err(PlanError::geometry(
                    "a kernel size, stride or dilation",
                    "at least 1",
                    0,
                ));
            }
            let padded = self.input[axis] + self.pads[axis] + self.pads[axis + 2];
            let span = (kernel - 1).saturating_mul(dilation).saturating_add(1);
            let room = padded.checked_sub(span).ok_or_else(|| {
                PlanError::geometry("the kernel's extent", format!("at most {padded}"), span)
            })?;
            *extent = room / stride + 1;
        }
        Ok(output)
    }

    pub(super) fn check(&self) -> Result<(), PlanError> {
        let positive = |what, value: usize| {
            if value == 0 {
                Err(PlanError::geometry(what, "at least 1", value))
            } else {
                Ok(())
            }
        };
        positive("the group count", self.groups)?;
        positive(
            "the block of the input's layout",
            self.input_placement.block,
        )?;
        positive(
            "the block of the output's layout",
            self.output_placement.block,
        )?;
        for (what, channels) in [
            ("input channels", self.in_channels),
            ("output channels", self.out_channels),
        ] {
            positive(what, channels)?;
            if channels % self.groups != 0 {
                return Err(PlanError::geometry(
                    what,
                    format!("a multiple of {} groups", self.groups),
                    channels,
                ));
            }
        }
        self.output().map(|_| ())
    }

    pub(super) fn window_len(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// What convolutions of all kinds have in common; segments, weights and channels are left to them.
    pub(super) fn blocking(&self, source: Source, target: Target) -> Result<Blocking, PlanError> {
        let [in_image, in_row, in_pixel] = self.input_placement.image_row_pixel();
        let [out_image, out_row, out_pixel] = self.output_placement.image_row_pixel();
        Ok(Blocking {
            target,
            source,
            init: if self.bias { Init::Bias } else { Init::Zero },
            epilogue: self.epilogue.clone(),
            segments: Vec::new(),
            weights: Weights::Packed {
                channel_stride: self.window_len(),
            },
            images: self.batch,
            regions: self.regions()?,
            steps: Steps {
                origin: -(self.pads[0] as i64 * in_row + self.pads[1] as i64 * in_pixel),
                image: [in_image, out_image],
                row: [in_row * self.strides[0] as i64, out_row],
                pixel: [in_pixel * self.strides[1] as i64, out_pixel],
            },
            channels: Vec::new(),
            cold_weights: true,
            input_bytes: self.batch
                * self.in_channels
                * self.input[0]
                * self.input[1]
                * size_of::<f32>(),
            input: self.input_placement,
            output: self.output_placement,
        })
    }

    /// Kernel columns, then kernel rows: the axes that padding clips.
    pub(super) fn window_axes(&self) -> [Axis; 2] {
        let [_, row, pixel] = self.input_placement.image_row_pixel();
        let axis = |window: usize, input: i64, filter| Axis {
            count: self.kernel[window],
            input: input * self.dilations[window] as i64,
            filter,
            window: Some(window),
        };
        [axis(1, pixel, 1), axis(0, row, self.kernel[1])]
    }

    /// Rectangles of output pixels whose windows lie over the same taps inside the input.
    fn regions(&self) -> Result<Vec<Region>, PlanError> {
        let [height, width] = self.output()?;
        Ok(regions(&self.strips(0, height), &self.strips(1, width)))
    }

    /// Output positions along one axis, grouped by the taps that read the input or its halo.
    pub(super) fn strips(&self, axis: usize, count: usize) -> Vec<Strip> {
        let readable = self.input_placement.readable(axis, self.input[axis]);
        let (stride, dilation) = (self.strides[axis] as i64, self.dilations[axis] as i64);
        strips(count, self.kernel[axis], readable, |position, tap| {
            position * stride + tap * dilation - self.pads[axis] as i64
        })
    }
}

/// Output positions along one axis, and the taps that they all have inside the input.
pub(super) type Strip = (Range<usize>, Range<usize>);

/// The positions `0..count`, grouped by those of `taps` taps whose input position `at(position, tap)` is in `readable`.
pub(super) fn strips(
    count: usize,
    taps: usize,
    readable: Range<i64>,
    at: impl Fn(i64, i64) -> i64,
) -> Vec<Strip> {
    let taps = |position: usize| {
        let inside = |tap: &usize| readable.contains(&at(position as i64, *tap as i64));
        let first = (0..taps).find(inside);
        let end = (0..taps).rfind(inside).map_or(0, |tap| tap + 1);
        first.unwrap_or(end)..end
    };
    let mut strips: Vec<Strip> = Vec::new();
    for position in 0..count {
        let taps = taps(position);
        match strips.last_mut() {
            Some((positions, same)) if *same == taps => positions.end = position + 1,
            _ => strips.push((position..position + 1, taps)),
        }
    }
    strips
}

/// Rectangles of output pixels whose windows lie over the same taps inside the input.
pub(super) fn regions(rows: &[Strip], columns: &[Strip]) -> Vec<Region> {
    let region = |(rows, ys): &Strip| {
        let (rows, ys) = (rows.clone(), ys.clone());
        columns.iter().map(move |(columns, xs)| Region {
            rows: rows.clone(),
            columns: columns.clone(),
            window: Window::from([ys.clone(), xs.clone()]),
        })
    };
    rows.iter().flat_map(region).collect()
}

/// The reduction over the input channels of one group and a window: `channel` says how many there are, and the distance of
/// their weights.
pub(super) fn segments(
    input: &Placement,
    channel: Axis,
    [columns, rows]: [Axis; 2],
) -> Vec<Segment> {
    let plane = input.strides[1] * ELEMENT;
    let spaced = |input: i64| Axis { input, ..channel };
    if input.block > 1 {
        return chunked(spaced(ELEMENT), plane, input.block, &[columns, rows]);
    }
    let all = spaced(plane);
    let axes = if columns.count * rows.count == 1 {
        return chunked(all, plane * CHUNK as i64, CHUNK, &[columns, rows]);
    } else if channel.count * columns.count <= UNROLL {
        vec![columns, all, rows]
    } else {
        vec![columns, rows, all]
    };
    vec![Segment {
        input: 0,
        filter: 0,
        axes,
    }]
}

/// Several groups must each fill whole blocks or divide one.
pub(super) fn aligned(
    what: &'static str,
    channels: usize,
    block: usize,
    grouped: bool,
) -> Result<(), PlanError> {
    if !grouped || channels.is_multiple_of(block) || block.is_multiple_of(channels) {
        Ok(())
    } else {
        Err(PlanError::geometry(
            what,
            format!("a multiple or a divisor of the layout's block of {block}"),
            channels,
        ))
    }
}

/// A tile stores vectors of channels, so these must be neighbours.
pub(super) fn side_by_side(output: &Placement, channels: usize) -> Result<(), PlanError> {
    if output.block > 1 || output.strides[1] == 1 || channels == 1 {
        Ok(())
    } else {
        Err(PlanError::geometry(
            "the stride of the output's channels",
            1,
            output.strides[1],
        ))
    }
}
