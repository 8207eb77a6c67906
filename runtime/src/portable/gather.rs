//! [Gather](https://onnx.ai/onnx/operators/onnx__Gather.html),
//! [GatherElements](https://onnx.ai/onnx/operators/onnx__GatherElements.html) and
//! [GatherND](https://onnx.ai/onnx/operators/onnx__GatherND.html): elements picked by index.

use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::{around, shape, wrap};
use crate::strided::{Strided, dense_strides};
use crate::wire::wire_struct;

/// Whole slices: `output[a.., i.., b..] = data[a.., indices[i..], b..]`. Inputs: data, indices (i32 or i64).
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    pub axis: u32,
}

/// Single elements: `output[a, i, b] = data[a, indices[a, i, b], b]`. Inputs: data, indices (i32 or i64).
#[derive(Clone, Debug, PartialEq)]
pub struct GatherElements {
    pub axis: u32,
}

/// Slices by coordinates, the last axis of indices. Inputs: data, indices (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct GatherNd {
    pub batch_dims: u32,
}

wire_struct!(Gather { axis });
wire_struct!(GatherElements { axis });
wire_struct!(GatherNd { batch_dims });

impl Gather {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            let [outer, n, inner] = around(&data.dims, self.axis)?;
            let axis = self.axis as usize;
            let dims = [&data.dims[..axis], &indices.dims, &data.dims[axis + 1..]].concat();
            operands.output::<T>(0, &dims, |out| {
                for (position, &index) in indices.data.iter().enumerate() {
                    let index = wrap(index, position, n)?;
                    for row in 0..outer {
                        let to = (row * indices.data.len() + position) * inner;
                        let from = (row * n + index) * inner;
                        out[to..to + inner].copy_from_slice(&data.data[from..from + inner]);
                    }
                }
                Ok(())
            })
        })
    }
}

impl GatherElements {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            let lines = lines_along(&data.dims, &indices.dims, self.axis)?;
            let (n, step) = (data.dims[self.axis as usize], dense_strides(&data.dims)[self.axis as usize]);
            operands.output::<T>(0, &indices.dims, |out| {
                lines.each(|position, start| {
                    let index = wrap(indices.data[position], position, n)?;
                    out[position] = data.data[start + index * step];
                    Ok(())
                })
            })
        })
    }
}

/// For each index of shape `indices`, where in an array of shape `data` the line along `axis` begins that it picks from.
pub(super) fn lines_along(
    data: &[usize],
    indices: &[usize],
    axis: u32,
) -> Result<Strided, KernelError> {
    let axis = axis as usize;
    let inside = |(d, (&n, &count)): (usize, (&usize, &usize))| d == axis || count <= n;
    if data.len() != indices.len()
        || axis >= data.len()
        || !data.iter().zip(indices).enumerate().all(inside)
    {
        return Err(shape(
            "the tensor of indices",
            format!("at most {data:?} but for dimension {axis}"),
            indices,
        ));
    }
    let mut strides: Vec<isize> = dense_strides(data)
        .iter()
        .map(|&stride| stride as isize)
        .collect();
    strides[axis] = 0;
    Ok(Strided {
        dims: indices.to_vec(),
        strides,
        origin: 0,
    })
}

impl GatherNd {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            let slices = Slices::new(&data.dims, &indices.dims, self.batch_dims as usize)?;
            let dims = [slices.count_dims, slices.slice_dims].concat();
            operands.output::<T>(0, &dims, |out| {
                for position in 0..slices.count {
                    let from = slices.start(&indices.data, position)?;
                    let to = position * slices.width;
                    out[to..to + slices.width].copy_from_slice(&data.data[from..from + slices.width]);
                }
                Ok(())
            })
        })
    }
}

/// Slices of an array that coordinates name: the first dimensions are batches common to both, the coordinates address the next.
pub(super) struct Slices<'a> {
    /// The shape of the coordinates without their last axis, and its product.
    pub(super) count_dims: &'a [usize],
    pub(super) count: usize,
    /// The shape of a slice, and its product.
    pub(super) slice_dims: &'a [usize],
    pub(super) width: usize,
    /// The extents coordinates address, and how far apart their elements are.
    addressed: &'a [usize],
    strides: Vec<usize>,
    /// Elements and coordinates of a batch.
    batch_stride: usize,
    counts_per_batch: usize,
}

impl<'a> Slices<'a> {
    pub(super) fn new(
        data: &'a [usize],
        indices: &'a [usize],
        batch_dims: usize,
    ) -> Result<Slices<'a>, KernelError> {
        let wrong = || {
            shape(
                "the tensor of indices",
                format!("coordinates into {data:?} after {batch_dims} batch dimensions"),
                indices,
            )
        };
        let (&depth, count_dims) = indices.split_last().ok_or_else(wrong)?;
        let (batch, inner) = data.split_at_checked(batch_dims).ok_or_else(wrong)?;
        let (addressed, slice_dims) = inner.split_at_checked(depth).ok_or_else(wrong)?;
        let counts = count_dims.strip_prefix(batch).ok_or_else(wrong)?;
        Ok(Slices {
            count_dims,
            count: count_dims.iter().product(),
            slice_dims,
            width: slice_dims.iter().product(),
            addressed,
            strides: dense_strides(inner)[..depth].to_vec(),
            batch_stride: inner.iter().product(),
            counts_per_batch: counts.iter().product(),
        })
    }

    /// Where the slice begins that coordinate tuple `position` names.
    pub(super) fn start(&self, indices: &[i64], position: usize) -> Result<usize, KernelError> {
        let depth = self.addressed.len();
        let mut start = position / self.counts_per_batch * self.batch_stride;
        for (axis, (&bound, stride)) in self.addressed.iter().zip(&self.strides).enumerate() {
            let at = position * depth + axis;
            start += wrap(indices[at], at, bound)? * stride;
        }
        Ok(start)
    }
}
