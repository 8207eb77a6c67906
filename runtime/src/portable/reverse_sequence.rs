//! [ReverseSequence](https://onnx.ai/onnx/operators/onnx__ReverseSequence.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::{around, shape};
use crate::strided::dense_strides;
use crate::wire::wire_struct;

/// Reverses the first `lens[b]` elements along the time axis of batch entry `b`. Inputs: data, lens (i64).
#[derive(Clone, Debug, PartialEq)]
pub struct ReverseSequence {
    pub batch_axis: u32,
    pub time_axis: u32,
}

wire_struct!(ReverseSequence {
    batch_axis,
    time_axis
});

impl ReverseSequence {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let lens = operands.indices(1)?;
        let dims = operands.dims(0)?.to_vec();
        let [_, batches, _] = around(&dims, self.batch_axis)?;
        let [_, times, _] = around(&dims, self.time_axis)?;
        if lens.data.len() != batches {
            return Err(shape(
                "the tensor of lengths",
                format!("{batches} elements"),
                &lens.dims,
            ));
        }
        if let Some(&len) = lens
            .data
            .iter()
            .find(|&&len| !(0..=times as i64).contains(&len))
        {
            return Err(KernelError::Value {
                what: "a sequence length",
                expected: format!("within 0..={times}"),
                found: len,
            });
        }
        let strides = dense_strides(&dims);
        let (batch_stride, time_stride) = (
            strides[self.batch_axis as usize],
            strides[self.time_axis as usize],
        );
        by_size!(operands.dtype(0)?, T => {
            let data = operands.words::<T>(0)?;
            operands.output::<T>(0, &dims, |out| {
                for (to, out) in out.iter_mut().enumerate() {
                    let len = lens.data[to / batch_stride % batches] as usize;
                    let time = to / time_stride % times;
                    let from = if time < len { len - 1 - time } else { time };
                    *out = data.data[to - time * time_stride + from * time_stride];
                }
                Ok(())
            })
        })
    }
}
