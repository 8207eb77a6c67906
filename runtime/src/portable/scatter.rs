//! [ScatterElements](https://onnx.ai/onnx/operators/onnx__ScatterElements.html) and
//! [ScatterND](https://onnx.ai/onnx/operators/onnx__ScatterND.html): a copy of data with elements replaced by index.

use crate::error::KernelError;
use crate::operands::{Operands, by_type};
use crate::portable::gather::{Slices, lines_along};
use crate::portable::number::Number;
use crate::portable::{shape, wrap};
use crate::strided::dense_strides;
use crate::wire::{wire_enum, wire_struct};

/// What becomes of an element that is hit. Duplicate hits apply in row-major order of the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The update replaces it.
    None,
    Add,
    Mul,
    Max,
    Min,
}

wire_enum!(Reduction "reduction" { 0 => None, 1 => Add, 2 => Mul, 3 => Max, 4 => Min });

/// Single elements. Inputs: data, indices (i32 or i64), updates.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterElements {
    pub axis: u32,
    pub reduction: Reduction,
}

/// Slices by coordinates, the last axis of indices. Inputs: data, indices (i64), updates.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterNd {
    pub reduction: Reduction,
}

wire_struct!(ScatterElements { axis, reduction });
wire_struct!(ScatterNd { reduction });

impl Reduction {
    fn apply<T: Number>(self, old: T, update: T) -> T {
        match self {
            Reduction::None => update,
            Reduction::Add => old.plus(update),
            Reduction::Mul => old.times(update),
            Reduction::Max => old.larger(update),
            Reduction::Min => old.smaller(update),
        }
    }
}

impl ScatterElements {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        by_type!(operands.dtype(0)?, T => {
            let (data, updates) = (operands.input::<T>(0)?, operands.input::<T>(2)?);
            let lines = lines_along(&data.dims, &indices.dims, self.axis)?;
            if updates.dims != indices.dims {
                return Err(shape("the tensor of updates", format!("{:?}", indices.dims), &updates.dims));
            }
            let (n, step) = (data.dims[self.axis as usize], dense_strides(&data.dims)[self.axis as usize]);
            operands.output::<T>(0, &data.dims, |out| {
                out.copy_from_slice(&data.data);
                lines.each(|position, start| {
                    let index = wrap(indices.data[position], position, n)?;
                    let hit = &mut out[start + index * step];
                    *hit = self.reduction.apply(*hit, updates.data[position]);
                    Ok(())
                })
            })
        })
    }
}

impl ScatterNd {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        by_type!(operands.dtype(0)?, T => {
            let (data, updates) = (operands.input::<T>(0)?, operands.input::<T>(2)?);
            let slices = Slices::new(&data.dims, &indices.dims, 0)?;
            let expected = [slices.count_dims, slices.slice_dims].concat();
            if updates.dims != expected {
                return Err(shape("the tensor of updates", format!("{expected:?}"), &updates.dims));
            }
            operands.output::<T>(0, &data.dims, |out| {
                out.copy_from_slice(&data.data);
                for position in 0..slices.count {
                    let start = slices.start(&indices.data, position)?;
                    let updates = &updates.data[position * slices.width..][..slices.width];
                    for (hit, &update) in out[start..start + slices.width].iter_mut().zip(updates) {
                        *hit = self.reduction.apply(*hit, update);
                    }
                }
                Ok(())
            })
        })
    }
}
