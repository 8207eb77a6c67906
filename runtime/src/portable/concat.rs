//! [Concat](https://onnx.ai/onnx/operators/onnx__Concat.html) of parts whose extents may be known at run time only.

use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::{around, shape};
use crate::wire::wire_struct;

/// Any number of inputs of one type, laid one after another along `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    pub axis: u32,
}

wire_struct!(Concat { axis });

impl Concat {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        by_size!(operands.dtype(0)?, T => {
            let count = operands.inputs.len();
            let parts = (0..count).map(|index| operands.words::<T>(index));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            let mut dims = operands.dims(0)?.to_vec();
            let [outer, _, inner] = around(&dims, self.axis)?;
            let axis = self.axis as usize;
            dims[axis] = 0;
            let mut widths = Vec::with_capacity(count);
            for part in &parts {
                let same = |(d, (a, b)): (usize, (&usize, &usize))| d == axis || a == b;
                if part.dims.len() != dims.len() || !part.dims.iter().zip(&dims).enumerate().all(same) {
                    return Err(shape("a part", format!("{dims:?} but for dimension {axis}"), &part.dims));
                }
                dims[axis] += part.dims[axis];
                widths.push(part.dims[axis] * inner);
            }
            operands.output::<T>(0, &dims, |out| {
                let mut at = 0;
                for row in 0..outer {
                    for (part, &width) in parts.iter().zip(&widths) {
                        out[at..at + width].copy_from_slice(&part.data[row * width..][..width]);
                        at += width;
                    }
                }
                Ok(())
            })
        })
    }
}
