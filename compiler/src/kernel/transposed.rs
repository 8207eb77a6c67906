//! Transposed convolution as a few plans of tiles, one for each kind of phase.
//!
//! `y[n, oc, o] = bias[oc] + sum over ic, k, i with o = i*s + k*d - p of w[ic, oc, k] * x[n, ic, i]` in both axes
//! (ONNX ConvTranspose). The outputs `o = r, r + s, r + 2s, ..` of one phase `r` meet the same taps
//!
//! ```text
//! k = first + t * s/g,   t = 0, 1, ..,   g = gcd(s, d)
//! i = j + base - t * d/g,   base = (r + p - first * d) / s,   for output o = r + j*s
//! ```
//!
//! so a phase is a convolution of stride 1 whose taps walk the input backwards and whose output steps are the stride.
//! Phases that clip the same taps at the same positions, all of them where the input has a halo, are channel ranges of one
//! plan: they differ in where they start in input, weights and output. A phase no tap meets is bias alone.

use super::blocking::{Blocking, ChannelRange, Steps, Weights};
use super::conv::{Strip, aligned, regions, segments, side_by_side, strips};
use super::placement::Placement;
use super::plan::{Plan, PlanError};
use super::reduction::{Axis, Segment};
use super::tile::{Init, Source, Step, Target};

/// A two-dimensional transposed convolution. Pairs are (height, width).
#[derive(Clone, Debug, PartialEq)]
pub struct TransposedGeometry {
    pub batch: usize,
    pub groups: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Rows cut from the top of the full result, columns from its left; negative where zeros stand before it.
    pub pads: [i64; 2],
    pub input_placement: Placement,
    /// Also of the residual.
    pub output_placement: Placement,
    pub bias: bool,
    pub epilogue: Vec<Step>,
}

/// Plans a transposed convolution; weights are packed from `[in_channels, out_channels/groups, kh, kw]`. Each plan has its own
/// packing; together they compute every output once.
///
/// # Errors
/// If a parameter is zero, if the channels of a group do not align with the blocks of a layout, or if the output's channels
/// do not lie side by side.
pub fn plan(conv: &TransposedGeometry, target: Target) -> Result<Vec<Plan>, PlanError> {
    conv.check()?;
    let [rows, columns] = [0, 1].map(|axis| conv.phases(axis));
    let mut kinds: Vec<Vec<[&Phase; 2]>> = Vec::new();
    for phase in rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| [row, column]))
    {
        let alike =
            |kind: &&mut Vec<[&Phase; 2]>| kind[0].iter().zip(phase).all(|(a, b)| a.is_like(b));
        match kinds.iter_mut().find(alike) {
            Some(kind) => kind.push(phase),
            None => kinds.push(vec![phase]),
        }
    }
    let plan = |kind: &Vec<[&Phase; 2]>| conv.blocking(kind, target).plan();
    kinds.iter().map(plan).collect()
}

/// Every `stride`-th output position of one axis, and the taps they meet.
#[derive(Debug)]
struct Phase {
    /// The first output position.
    output: usize,
    /// The first kernel index.
    tap: usize,
    /// The input position of the first tap at the first output.
    input: i64,
    taps: usize,
    strips: Vec<Strip>,
}

impl Phase {
    /// Whether the two clip the same taps at the same positions.
    fn is_like(&self, other: &Phase) -> bool {
        self.taps == other.taps && self.strips == other.strips
    }
}

impl TransposedGeometry {
    fn check(&self) -> Result<(), PlanError> {
        let axes = [self.kernel, self.strides, self.dilations].concat();
        let channels = [self.groups, self.in_channels, self.out_channels];
        for value in axes.into_iter().chain(channels) {
            if value == 0 {
                return Err(PlanError::geometry(
                    "a parameter of a transposed convolution",
                    "at least 1",
                    0,
                ));
            }
        }
        for (what, channels, placement) in [
            (
                "input channels of a group",
                self.in_channels,
                self.input_placement,
            ),
            (
                "output channels of a group",
                self.out_channels,
                self.output_placement,
            ),
        ] {
            if channels % self.groups != 0 {
                return Err(PlanError::geometry(what, "whole", channels));
            }
            let group = channels / self.groups;
            aligned(what, group, placement.block, self.groups > 1)?;
        }
        side_by_side(&self.output_placement, self.out_channels)
    }

    /// Whether every channel has its own filter.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.in_channels == self.groups && self.out_channels == self.groups
    }

    /// Kernel indices from one tap of a phase to the next, and the input positions they lie apart.
    fn tap_step(&self, axis: usize) -> (usize, usize) {
        let (stride, dilation) = (self.strides[axis], self.dilations[axis]);
        let common = gcd(stride, dilation);
        (stride / common, dilation / common)
    }

    /// The phases of an axis that have outputs.
    fn phases(&self, axis: usize) -> Vec<Phase> {
        let (stride, kernel) = (self.strides[axis], self.kernel[axis]);
        let (kernel_step, input_step) = self.tap_step(axis);
        let readable = self.input_placement.readable(axis, self.input[axis]);
        let phase = |output: usize| {
            let reach =
                |tap: usize| output as i64 + self.pads[axis] - (tap * self.dilations[axis]) as i64;
            let meets = |tap: &usize| reach(*tap) % stride as i64 == 0;
            let tap = (0..kernel.min(kernel_step)).find(meets);
            let taps = tap.map_or(0, |tap| (kernel - tap).div_ceil(kernel_step));
            let input = tap.map_or(0, |tap| reach(tap) / stride as i64);
            let count = (self.output[axis] - output).div_ceil(stride);
            Phase {
                output,
                tap: tap.unwrap_or(0),
                input,
                taps,
                strips: strips(count, taps, readable.clone(), |position, tap| {
                    position + input - tap * input_step as i64
                }),
            }
        };
        (0..stride.min(self.output[axis])).map(phase).collect()
    }

    /// The phases of one kind as one operator.
    fn blocking(&self, kind: &[[&Phase; 2]], target: Target) -> Blocking {
        let [in_image, in_row, in_pixel] = self.input_placement.image_row_pixel();
        let [out_image, out_row, out_pixel] = self.output_placement.image_row_pixel();
        let [rows, columns] = kind[0];
        let taps = self.kernel[0] * self.kernel[1];
        Blocking {
            target,
            source: if self.is_depthwise() {
                Source::Lanes
            } else {
                Source::Broadcast
            },
            init: if self.bias { Init::Bias } else { Init::Zero },
            epilogue: self.epilogue.clone(),
            segments: self.segments(kind[0]),
            weights: Weights::Packed {
                channel_stride: taps,
            },
            images: self.batch,
            regions: regions(&rows.strips, &columns.strips),
            steps: Steps {
                origin: 0,
                image: [in_image, out_image],
                row: [in_row, out_row * self.strides[0] as i64],
                pixel: [in_pixel, out_pixel * self.strides[1] as i64],
            },
            channels: kind.iter().flat_map(|phase| self.channels(phase)).collect(),
            cold_weights: true,
            input_bytes: self.batch
                * self.in_channels
                * self.input[0]
                * self.input[1]
                * size_of::<f32>(),
            input: self.input_placement,
            output: self.output_placement,
        }
    }

    /// The reduction of a phase, from its first tap.
    fn segments(&self, [rows, columns]: [&Phase; 2]) -> Vec<Segment> {
        let [_, in_row, in_pixel] = self.input_placement.image_row_pixel();
        let axis = |window: usize, phase: &Phase, input: i64, filter: usize| {
            let (kernel_step, input_step) = self.tap_step(window);
            Axis {
                count: phase.taps,
                input: -input * input_step as i64,
                filter: filter * kernel_step,
                window: Some(window),
            }
        };
        let window = [
            axis(1, columns, in_pixel, 1),
            axis(0, rows, in_row, self.kernel[1]),
        ];
        if self.is_depthwise() {
            return vec![Segment {
                input: 0,
                filter: 0,
                axes: window.to_vec(),
            }];
        }
        let filters = self.out_channels / self.groups * self.kernel[0] * self.kernel[1];
        let channel = Axis::channel(self.in_channels / self.groups, 0, filters);
        segments(&self.input_placement, channel, window)
    }

    /// The output channels of a phase: one range for each group.
    fn channels(&self, [row, column]: &[&Phase; 2]) -> Vec<ChannelRange> {
        let [_, in_row, in_pixel] = self.input_placement.image_row_pixel();
        let [_, out_row, out_pixel] = self.output_placement.image_row_pixel();
        let input = row.input * in_row + column.input * in_pixel;
        let output = row.output as i64 * out_row + column.output as i64 * out_pixel;
        let filter = row.tap * self.kernel[1] + column.tap;
        let (group_in, group_out) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let taps = self.kernel[0] * self.kernel[1];
        let blocked = self.output_placement.block > 1;
        if self.is_depthwise() {
            return vec![ChannelRange {
                first: 0,
                count: self.out_channels,
                filter,
                input,
                output,
                padded: blocked && self.input_placement.block == self.output_placement.block,
            }];
        }
        let range = |group: usize| ChannelRange {
            first: group * group_out,
            count: group_out,
            filter: filter + group * group_in * group_out * taps,
            input: input + self.input_placement.channel(group * group_in),
            output,
            padded: self.groups == 1 && blocked,
        };
        (0..self.groups).map(range).collect()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
