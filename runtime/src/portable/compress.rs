//! [Compress](https://onnx.ai/onnx/operators/onnx__Compress.html).

use crate::dtype::Bool;
use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::{around, shape};
use crate::wire::wire_struct;

/// The slices along `axis` (or elements of the flattened input) whose condition holds. Inputs: data, condition (bool, rank 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Compress {
    pub axis: Option<u32>,
}

wire_struct!(Compress { axis });

impl Compress {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let condition = operands.input::<Bool>(1)?;
        let holds = |(index, condition): (usize, &Bool)| condition.get().then_some(index);
        let kept: Vec<usize> = condition
            .data
            .iter()
            .enumerate()
            .filter_map(holds)
            .collect();
        let mut dims = operands.dims(0)?.to_vec();
        let axis = match self.axis {
            Some(axis) => axis as usize,
            None => {
                dims = vec![dims.iter().product()];
                0
            }
        };
        let [outer, n, inner] = around(&dims, axis as u32)?;
        if condition.data.len() > n {
            return Err(shape(
                "the condition",
                format!("at most {n} elements"),
                &condition.dims,
            ));
        }
        dims[axis] = kept.len();
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            operands.output::<T>(0, &dims, |out| {
                let rows = (0..outer).flat_map(|row| kept.iter().map(move |&index| row * n + index));
                for (to, from) in rows.enumerate() {
                    out[to * inner..][..inner].copy_from_slice(&data.data[from * inner..][..inner]);
                }
                Ok(())
            })
        })
    }
}
