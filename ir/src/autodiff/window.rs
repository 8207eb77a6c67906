//! Pools: the maximum passes its gradient to the first greatest element of its window, the mean to all of them in equal parts.

use super::{Refusal, Shares, Sweep, Task, ints};
use crate::attrs::AttrValue;
use crate::class::{Window, WindowKind};
use crate::ops::OpKind;

impl Sweep {
    pub(super) fn window(&mut self, task: &Task, window: &Window) -> Result<Shares, Refusal> {
        let x = task.inputs[0].ok_or("its operand is missing")?;
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let pads: Vec<usize> = [&window.pads_begin[..], &window.pads_end[..]].concat();
        // Rounding up is what an output tells that is larger than whole windows make it.
        let (input, output) = (self.shape(x)?, self.shape(task.dy)?);
        let rounded = (0..window.kernel.len()).any(|a| {
            let reach = (window.kernel[a] - 1) * window.dilations[a] + 1;
            let padded = input[a + 2] + window.pads_begin[a] + window.pads_end[a];
            output[a + 2] > (padded - reach) / window.strides[a] + 1
        });
        let attrs = [
            ("ceil_mode", AttrValue::Int(rounded.into())),
            ("kernel_shape", ints(&window.kernel)),
            ("strides", ints(&window.strides)),
            ("dilations", ints(&window.dilations)),
            ("pads", ints(&pads)),
        ];
        let dx = match window.kind {
            WindowKind::Max => self
                .composer
                .with(OpKind::MaxPoolGradient, &[x, task.dy], attrs)?,
            WindowKind::Average { count_pad } => {
                let [a, b, c, d, e] = attrs;
                let counted = ("count_include_pad", AttrValue::Int(count_pad.into()));
                let attrs = [a, b, c, d, e, counted];
                self.composer
                    .with(OpKind::AveragePoolGradient, &[x, task.dy], attrs)?
            }
            WindowKind::ArgMax { .. } => return Ok(Vec::new()),
            WindowKind::Lp { .. } => return Err("norms of windows have no gradient yet".into()),
        };
        Ok(vec![(0, dx)])
    }
}
