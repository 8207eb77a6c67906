//! [RoiAlign](https://onnx.ai/onnx/operators/onnx__RoiAlign.html).

use crate::dtype::DType;
use crate::error::KernelError;
use crate::operands::{Operands, zeroed};
use crate::portable::number::{Real, reals, write_reals};
use crate::portable::{shape, wrap};
use crate::wire::{wire_enum, wire_struct};

/// How samples of a bin become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoiPooling {
    Average,
    /// The largest of the weighted neighbours of all samples.
    Max,
}

wire_enum!(RoiPooling "pooling" { 0 => Average, 1 => Max });

/// Bilinear samples of regions. Inputs: data `[n, c, h, w]`, regions `[r, 4]` as (x1, y1, x2, y2), image numbers `[r]` (i64).
/// The output's last two extents are the number of bins.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiAlign {
    pub pooling: RoiPooling,
    /// Shift coordinates by half a pixel (`half_pixel`), else not (`output_half_pixel`).
    pub half_pixel: bool,
    /// Samples a bin and axis; 0 adapts it to the region's size.
    pub sampling_ratio: u32,
    pub spatial_scale: f32,
}

wire_struct!(RoiAlign {
    pooling,
    half_pixel,
    sampling_ratio,
    spatial_scale
});

impl RoiAlign {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        match operands.dtype(0)? {
            DType::F64 => self.align::<f64>(operands),
            _ => self.align::<f32>(operands),
        }
    }

    fn align<R: Real>(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let (data, regions) = (reals::<R>(operands, 0)?, reals::<R>(operands, 1)?);
        let images = operands.indices(2)?;
        let &[count, channels, height, width] = &data.dims[..] else {
            return Err(shape("the input", "four dimensions", &data.dims));
        };
        if regions.dims != [images.data.len(), 4] {
            let expected = format!("[{}, 4]", images.data.len());
            return Err(shape("the tensor of regions", expected, &regions.dims));
        }
        let planned = operands.current_dims(0);
        let &[_, _, bins_y, bins_x] = &planned[..] else {
            return Err(shape("the output", "four dimensions", &planned));
        };
        let dims = [images.data.len(), channels, bins_y, bins_x];
        let mut out = zeroed::<R>(dims.iter().product())?;
        for (number, (region, &image)) in regions
            .data
            .chunks_exact(4)
            .zip(images.data.iter())
            .enumerate()
        {
            let image = wrap(image, number, count)?;
            let y = self.axis(region[1], region[3], bins_y, height);
            let x = self.axis(region[0], region[2], bins_x, width);
            for channel in 0..channels {
                let plane =
                    &data.data[(image * channels + channel) * height * width..][..height * width];
                let bins =
                    &mut out[(number * channels + channel) * bins_y * bins_x..][..bins_y * bins_x];
                for (bin, value) in bins.iter_mut().enumerate() {
                    *value = self.pool(plane, width, &y[bin / bins_x], &x[bin % bins_x]);
                }
            }
        }
        write_reals(operands, 0, &dims, &out)
    }

    /// The samples of each bin along one axis of a region.
    fn axis<R: Real>(&self, low: R, high: R, bins: usize, extent: usize) -> Vec<Vec<Sample<R>>> {
        let scale = R::from_f64(f64::from(self.spatial_scale));
        let shift = R::from_f64(if self.half_pixel { 0.5 } else { 0.0 });
        let start = low * scale - shift;
        let mut length = high * scale - shift - start;
        if !self.half_pixel && length < R::ONE {
            length = R::ONE;
        }
        let bin = length / R::from_f64(bins as f64);
        let samples = match self.sampling_ratio {
            // A region beyond the image has no more to say than the image's width does.
            0 => bin.ceil().to_f64().clamp(0.0, 4096.0) as usize,
            n => n as usize,
        };
        let sample = |index: usize, i: usize| {
            let step = bin / R::from_f64(samples as f64);
            let position = start
                + R::from_f64(index as f64) * bin
                + (R::from_f64(i as f64) + R::from_f64(0.5)) * step;
            Sample::at(position, extent)
        };
        (0..bins)
            .map(|index| (0..samples).map(|i| sample(index, i)).collect())
            .collect()
    }

    fn pool<R: Real>(
        &self,
        plane: &[R],
        width: usize,
        rows: &[Sample<R>],
        columns: &[Sample<R>],
    ) -> R {
        let corners = rows.iter().flat_map(|y| {
            columns.iter().map(move |x| {
                let corner = |(yi, yw): (usize, R), (xi, xw): (usize, R)| {
                    yw * xw * plane.get(yi * width + xi).copied().unwrap_or(R::ZERO)
                };
                [
                    corner(y.low, x.low),
                    corner(y.low, x.high),
                    corner(y.high, x.low),
                    corner(y.high, x.high),
                ]
            })
        });
        match self.pooling {
            RoiPooling::Average => {
                let total = corners.fold(R::ZERO, |sum, [a, b, c, d]| sum + (a + b + c + d));
                total / R::from_f64((rows.len() * columns.len()).max(1) as f64)
            }
            RoiPooling::Max => {
                let largest = corners
                    .map(|four| four.into_iter().reduce(R::larger).unwrap_or(R::ZERO))
                    .reduce(R::larger);
                largest.unwrap_or(R::ZERO)
            }
        }
    }
}

/// A position between two elements: their indices and weights. Beyond the border by more than one element all weights are 0.
struct Sample<R> {
    low: (usize, R),
    high: (usize, R),
}

impl<R: Real> Sample<R> {
    fn at(position: R, extent: usize) -> Sample<R> {
        let last = extent.saturating_sub(1);
        let inside = position >= -R::ONE && position <= R::from_f64(extent as f64);
        if !inside {
            return Sample {
                low: (0, R::ZERO),
                high: (0, R::ZERO),
            };
        }
        let position = if position > R::ZERO {
            position
        } else {
            R::ZERO
        };
        let low = position.to_f64() as usize;
        if low >= last {
            return Sample {
                low: (last, R::ONE),
                high: (last, R::ZERO),
            };
        }
        let fraction = position - R::from_f64(low as f64);
        Sample {
            low: (low, R::ONE - fraction),
            high: (low + 1, fraction),
        }
    }
}
