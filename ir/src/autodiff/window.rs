//! Pools: the maximum passes its gradient to the first greatest element of its window, the mean to all of them in equal parts.

use super::{Refusal, Shares, Sweep, Task, ints};
use crate::attrs::AttrValue;
use crate::class::{Conv, Window, WindowKind};
use crate::expr::{Ex, UnaryOp};
use crate::graph::Value;
use crate::ops::OpKind;
use crate::tensor::Tensor;

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
            WindowKind::Lp { p } => self.norm(task, window, x, p)?,
        };
        Ok(vec![(0, dx)])
    }

    /// `y = (sum |x|^p)^(1/p)`: `dx = sign(x) |x|^(p-1)` times the sum of `dy y^(1-p)` over the windows that hold the element, which a
    /// convolution by ones, transposed, spreads.
    fn norm(&mut self, task: &Task, window: &Window, x: Value, p: i64) -> Result<Value, Refusal> {
        let dtype = self.graph().ty(x).dtype;
        let channels = self.shape(x)?[1];
        let mut shape = vec![channels, 1];
        shape.extend(&window.kernel);
        let ones = vec![1.0; shape.iter().product()];
        let ones = self
            .composer
            .constant(Tensor::from_f64(dtype, &shape, &ones));
        let conv = Conv {
            groups: channels,
            kernel: window.kernel.clone(),
            strides: window.strides.clone(),
            dilations: window.dilations.clone(),
            pads_begin: window.pads_begin.clone(),
            pads_end: window.pads_end.clone(),
        };
        let [a, b] = [0, 1].map(|k| Ex::arg(k, dtype));
        let p = p as f64;
        // A window of zeros has no slope.
        let share = &a * &b.pow(&b.lit(1.0 - p));
        let share = b.lit(0.0).lt(&b).select(&share, &b.lit(0.0));
        let shares = self.map_of(&share, &[task.dy, task.id.into()], dtype)?;
        let sums = self.conv_data(&conv, x, ones, shares)?;
        let slope = a.unary(UnaryOp::Sign) * &a.abs().pow(&a.lit(p - 1.0)) * &b;
        self.map_of(&slope, &[x, sums], dtype)
    }
}
