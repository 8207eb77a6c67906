//! [CumSum](https://onnx.ai/onnx/operators/onnx__CumSum.html) and [CumProd](https://onnx.ai/onnx/operators/onnx__CumProd.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_type};
use crate::portable::around;
use crate::portable::number::Number;
use crate::wire::wire_struct;

/// Running sums (or products) of one input along `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cumulative {
    pub axis: u32,
    /// Leave the element itself out.
    pub exclusive: bool,
    /// From the end.
    pub reverse: bool,
    /// Multiply instead of adding.
    pub product: bool,
}

wire_struct!(Cumulative {
    axis,
    exclusive,
    reverse,
    product
});

impl Cumulative {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let dims = operands.dims(0)?.to_vec();
        let [outer, n, inner] = around(&dims, self.axis)?;
        by_type!(operands.dtype(0)?, T => {
            let data = operands.input::<T>(0)?;
            operands.output::<T>(0, &dims, |out| {
                for row in 0..outer {
                    let rows = row * n * inner..(row + 1) * n * inner;
                    self.lines(&data.data[rows.clone()], &mut out[rows], n, inner);
                }
                Ok(())
            })
        })
    }

    /// All lines along the axis of one `[n, inner]` block.
    fn lines<T: Number>(&self, data: &[T], out: &mut [T], n: usize, inner: usize) {
        for column in 0..inner {
            let mut total = if self.product { T::ONE } else { T::ZERO };
            for i in 0..n {
                let i = if self.reverse { n - 1 - i } else { i };
                let at = i * inner + column;
                let before = total;
                total = match self.product {
                    true => total.times(data[at]),
                    false => total.plus(data[at]),
                };
                out[at] = if self.exclusive { before } else { total };
            }
        }
    }
}
