//! [MaxUnpool](https://onnx.ai/onnx/operators/onnx__MaxUnpool.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::shape;
use crate::strided::dense_strides;
use crate::wire::wire_struct;

/// Values at the places their maxima came from, zero elsewhere. Inputs: data, indices (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct MaxUnpool {
    /// The shape in which indices are flat positions; an element goes to the same coordinates of the output.
    pub index_shape: Vec<u64>,
}

wire_struct!(MaxUnpool { index_shape });

impl MaxUnpool {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let indices = operands.indices(1)?;
        let dims = operands.current_dims(0);
        let inside = |(&a, &b): (&u64, &usize)| a <= b as u64;
        if self.index_shape.len() != dims.len() || !self.index_shape.iter().zip(&dims).all(inside) {
            return Err(shape(
                "the output",
                format!("at least {:?}", self.index_shape),
                &dims,
            ));
        }
        let from: Vec<usize> = self.index_shape.iter().map(|&n| n as usize).collect();
        let bound: usize = from.iter().product();
        let (from_strides, to_strides) = (dense_strides(&from), dense_strides(&dims));
        let place = |index: usize| -> usize {
            let coordinates = from
                .iter()
                .zip(&from_strides)
                .map(|(&extent, &stride)| index / stride % extent);
            coordinates
                .zip(&to_strides)
                .map(|(coordinate, stride)| coordinate * stride)
                .sum()
        };
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            if data.dims != indices.dims {
                return Err(shape("the tensor of indices", format!("{:?}", data.dims), &indices.dims));
            }
            operands.output::<T>(0, &dims, |out| {
                out.fill(0);
                for (position, (&value, &index)) in data.data.iter().zip(indices.data.iter()).enumerate() {
                    let index = super::wrap(index, position, bound)?;
                    out[place(index)] = value;
                }
                Ok(())
            })
        })
    }
}
