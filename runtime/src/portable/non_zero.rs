//! [NonZero](https://onnx.ai/onnx/operators/onnx__NonZero.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_type};
use crate::portable::number::Number;
use crate::strided::dense_strides;
use crate::wire::wire_struct;

/// The coordinates of elements that are not zero: i64 `[rank, count]`; `count` is written to the output's slot.
#[derive(Clone, Debug, PartialEq)]
pub struct NonZero;

wire_struct!(NonZero {});

impl NonZero {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let hits: Vec<usize> = by_type!(operands.dtype(0)?, T => {
            let data = operands.input::<T>(0)?;
            let hit = |(position, value): (usize, &T)| (*value != <T as Number>::ZERO).then_some(position);
            data.data.iter().enumerate().filter_map(hit).collect()
        });
        let dims = operands.dims(0)?.to_vec();
        let strides = dense_strides(&dims);
        operands.output::<i64>(0, &[dims.len(), hits.len()], |out| {
            for (axis, (&extent, &stride)) in dims.iter().zip(&strides).enumerate() {
                for (out, hit) in out[axis * hits.len()..].iter_mut().zip(&hits) {
                    *out = (hit / stride % extent) as i64;
                }
            }
            Ok(())
        })
    }
}
