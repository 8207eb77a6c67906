//! [TopK](https://onnx.ai/onnx/operators/onnx__TopK.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_type, zeroed};
use crate::portable::around;
use crate::portable::number::Number;
use crate::wire::wire_struct;
use std::cmp::Ordering;

/// The `k` largest or smallest along `axis`. Inputs: data, optionally k (one i64); without it, k is the output's extent. Outputs:
/// values, indices (i64). Among equals the lower index wins; NaN counts as the largest.
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    pub axis: u32,
    pub largest: bool,
    /// Without it any order would do; this kernel sorts always.
    pub sorted: bool,
}

wire_struct!(TopK {
    axis,
    largest,
    sorted
});

impl TopK {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let [outer, n, inner] = around(operands.dims(0)?, self.axis)?;
        let axis = self.axis as usize;
        let planned = operands.current_dims(0).get(axis).copied();
        let wanted = operands
            .scalar::<i64>(1)?
            .or(planned.map(|k| k as i64))
            .unwrap_or(0);
        let k = usize::try_from(wanted).ok().filter(|&k| k <= n);
        let k = k.ok_or_else(|| KernelError::Value {
            what: "k",
            expected: format!("at most {n}, the extent of the axis"),
            found: wanted,
        })?;
        let mut dims = operands.dims(0)?.to_vec();
        dims[axis] = k;
        by_type!(operands.dtype(0)?, T => {
            let data = operands.input::<T>(0)?;
            let mut picks = zeroed::<i64>(outer * k * inner)?;
            let mut order = zeroed::<usize>(n)?;
            for line in 0..outer * inner {
                let start = line / inner * n * inner + line % inner;
                let value = |i: usize| &data.data[start + i * inner];
                self.select::<T>(&mut order, k, value);
                let to = line / inner * k * inner + line % inner;
                for (rank, &pick) in order[..k].iter().enumerate() {
                    picks[to + rank * inner] = pick as i64;
                }
            }
            operands.output::<T>(0, &dims, |out| {
                for (to, (out, &pick)) in out.iter_mut().zip(&picks).enumerate() {
                    let (row, column) = (to / (k * inner), to % inner);
                    *out = data.data[(row * n + pick as usize) * inner + column];
                }
                Ok(())
            })?;
            operands.output::<i64>(1, &dims, |out| {
                out.copy_from_slice(&picks);
                Ok(())
            })
        })
    }

    /// Puts the first `k` of the order to the front.
    fn select<'v, T: Number>(&self, order: &mut [usize], k: usize, value: impl Fn(usize) -> &'v T) {
        for (i, slot) in order.iter_mut().enumerate() {
            *slot = i;
        }
        let rank = |&a: &usize, &b: &usize| -> Ordering {
            let ascending = value(a).order(value(b));
            let by_value = if self.largest {
                ascending.reverse()
            } else {
                ascending
            };
            by_value.then(a.cmp(&b))
        };
        if 0 < k && k < order.len() {
            order.select_nth_unstable_by(k - 1, rank);
        }
        order[..k].sort_unstable_by(rank);
    }
}
