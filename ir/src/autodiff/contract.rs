//! Sums of products: each operand's gradient is another sum of products.
//!
//! Conv `y = x * w`: `dx` is the transposed convolution of `dy` by `w`, `dw` the filter gradient of `x` and `dy`, `db` sums `dy` per
//! channel. ConvTranspose exchanges the two; so do the gradients of a filter gradient. MatMul: `dA = dY Bᵀ`, `dB = Aᵀ dY`, summed over broadcast stacks.

use super::{Refusal, Shares, Sweep, Task, ints};
use crate::attrs::AttrValue;
use crate::class::{Contract, Conv, ConvTranspose};
use crate::graph::Value;
use crate::ops::OpKind;

impl Sweep {
    pub(super) fn contract(&mut self, task: &Task, class: &Contract) -> Result<Shares, Refusal> {
        let operand = |k: usize| task.inputs.get(k).copied().flatten();
        let (x, w) = (
            operand(0).ok_or("its first operand is missing")?,
            operand(1).ok_or("its second operand is missing")?,
        );
        let mut shares = Vec::new();
        for &k in &task.wanted {
            let share = match (class, k) {
                (Contract::Conv(_) | Contract::ConvTranspose(_), 2) => self.bias(task.dy)?,
                (Contract::Conv(conv), 0) => self.conv_data(conv, x, w, task.dy)?,
                (Contract::Conv(conv), _) => self.conv_filter(conv, x, task.dy)?,
                (Contract::ConvTranspose(conv), 0) => self.transposed_data(conv, x, w, task.dy)?,
                (Contract::ConvTranspose(conv), _) => {
                    let conv = self.forward(conv, x, task.dy)?;
                    self.conv_filter(&conv, task.dy, x)?
                }
                // Linear in each of `x` and `dy`, which here are the operands; what is passed is a filter.
                (Contract::ConvFilter(conv), 0) => self.conv_data(conv, x, task.dy, w)?,
                (Contract::ConvFilter(conv), _) => self.conv(conv, x, task.dy, w)?,
                (
                    Contract::MatMul {
                        transpose_a,
                        transpose_b,
                    },
                    _,
                ) => {
                    let product = self.matmul(k, [x, w], task.dy, [*transpose_a, *transpose_b])?;
                    self.unbroadcast(product, [x, w][k])?
                }
            };
            shares.push((k, share));
        }
        Ok(shares)
    }

    /// `dy` summed over everything but channels.
    fn bias(&mut self, dy: Value) -> Result<Value, Refusal> {
        let rank = self.graph().ty(dy).rank() as i64;
        let axes: Vec<i64> = (0..rank).filter(|&a| a != 1).collect();
        Ok(self.composer.reduce(OpKind::ReduceSum, dy, &axes, false)?)
    }

    pub(super) fn conv_data(
        &mut self,
        conv: &Conv,
        x: Value,
        w: Value,
        dy: Value,
    ) -> Result<Value, Refusal> {
        let (input, output) = (self.shape(x)?, self.shape(dy)?);
        let (mut ends, mut padding) = (Vec::new(), Vec::new());
        for a in 0..conv.kernel.len() {
            let reach = (conv.kernel[a] - 1) * conv.dilations[a] + 1;
            let full = (output[a + 2] - 1) * conv.strides[a] + reach;
            let wanted = input[a + 2] + conv.pads_begin[a];
            ends.push(full.saturating_sub(wanted));
            padding.push(wanted.saturating_sub(full));
        }
        // Rows behind the last window can be more than the stride where the padding at the end is wide.
        let limit = |a: usize| conv.strides[a].max(conv.dilations[a]);
        let short: Vec<usize> = (0..padding.len())
            .map(|a| padding[a].saturating_sub(limit(a) - 1))
            .collect();
        (0..padding.len()).for_each(|a| padding[a] -= short[a]);
        let dx = self.composer.with(
            OpKind::ConvTranspose,
            &[dy, w],
            [
                ("group", AttrValue::Int(conv.groups as i64)),
                ("strides", ints(&conv.strides)),
                ("dilations", ints(&conv.dilations)),
                ("pads", ints(&[&conv.pads_begin[..], &ends[..]].concat())),
                ("output_padding", ints(&padding)),
            ],
        )?;
        self.lengthen(dx, &short)
    }

    /// Zeros behind the spatial axes.
    fn lengthen(&mut self, x: Value, by: &[usize]) -> Result<Value, Refusal> {
        if by.iter().all(|&n| n == 0) {
            return Ok(x);
        }
        let rank = by.len() + 2;
        let mut pads = vec![0; 2 * rank];
        (0..by.len()).for_each(|a| pads[rank + 2 + a] = by[a] as i64);
        self.pad(x, &pads)
    }

    pub(super) fn pad(&mut self, x: Value, pads: &[i64]) -> Result<Value, Refusal> {
        let pads = self.composer.ints(pads);
        Ok(self.composer.op(OpKind::Pad, &[x, pads])?)
    }

    fn conv_filter(&mut self, conv: &Conv, x: Value, dy: Value) -> Result<Value, Refusal> {
        let pads = [&conv.pads_begin[..], &conv.pads_end[..]].concat();
        Ok(self.composer.with(
            OpKind::ConvFilterGradient,
            &[x, dy],
            [
                ("group", AttrValue::Int(conv.groups as i64)),
                ("kernel_shape", ints(&conv.kernel)),
                ("strides", ints(&conv.strides)),
                ("dilations", ints(&conv.dilations)),
                ("pads", ints(&pads)),
            ],
        )?)
    }

    /// `x` convolved by a filter, no larger than `like`: what the filter gradient reads of it.
    fn conv(&mut self, conv: &Conv, x: Value, w: Value, like: Value) -> Result<Value, Refusal> {
        let pads = [&conv.pads_begin[..], &conv.pads_end[..]].concat();
        let made = self.composer.with(
            OpKind::Conv,
            &[x, w],
            [
                ("group", AttrValue::Int(conv.groups as i64)),
                ("strides", ints(&conv.strides)),
                ("dilations", ints(&conv.dilations)),
                ("pads", ints(&pads)),
            ],
        )?;
        match self.shape(made)? == self.shape(like)? {
            true => Ok(made),
            false => Err("a filter gradient of a part of the output".into()),
        }
    }

    /// The convolution that a transposed one is the data gradient of: from `y` to `x`.
    fn forward(&self, conv: &ConvTranspose, x: Value, y: Value) -> Result<Conv, Refusal> {
        let (small, large) = (self.shape(x)?, self.shape(y)?);
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        for a in 0..conv.kernel.len() {
            let reach = (conv.kernel[a] - 1) * conv.dilations[a] + 1;
            let full = ((small[a + 2] - 1) * conv.strides[a] + reach) as i64;
            let end = full - large[a + 2] as i64 - conv.pads_begin[a];
            begins.push(usize::try_from(conv.pads_begin[a]));
            // What the last window does not reach needs no padding.
            ends.push(end.max(0) as usize);
        }
        let begins: Result<Vec<usize>, _> = begins.into_iter().collect();
        Ok(Conv {
            groups: conv.groups,
            kernel: conv.kernel.clone(),
            strides: conv.strides.clone(),
            dilations: conv.dilations.clone(),
            pads_begin: begins.map_err(|_| "a transposed convolution with zeros in front")?,
            pads_end: ends,
        })
    }

    fn transposed_data(
        &mut self,
        conv: &ConvTranspose,
        x: Value,
        w: Value,
        dy: Value,
    ) -> Result<Value, Refusal> {
        let conv = self.forward(conv, x, dy)?;
        let pads = [&conv.pads_begin[..], &conv.pads_end[..]].concat();
        Ok(self.composer.with(
            OpKind::Conv,
            &[dy, w],
            [
                ("group", AttrValue::Int(conv.groups as i64)),
                ("strides", ints(&conv.strides)),
                ("dilations", ints(&conv.dilations)),
                ("pads", ints(&pads)),
            ],
        )?)
    }

    /// The gradient of operand `k` of `A' B'`, before stacks are summed.
    fn matmul(
        &mut self,
        k: usize,
        [a, b]: [Value; 2],
        dy: Value,
        [ta, tb]: [bool; 2],
    ) -> Result<Value, Refusal> {
        // (left, transposed, right, transposed)
        let (left, tl, right, tr) = match (k, ta, tb) {
            (0, false, _) => (dy, false, b, !tb),
            (0, true, _) => (b, tb, dy, true),
            (_, _, false) => (a, !ta, dy, false),
            (_, _, true) => (dy, true, a, ta),
        };
        let both = [left, right].map(|v| self.graph().ty(v).rank());
        if both == [2, 2] {
            return Ok(self.composer.with(
                OpKind::Gemm,
                &[left, right],
                [
                    ("transA", AttrValue::Int(tl.into())),
                    ("transB", AttrValue::Int(tr.into())),
                ],
            )?);
        }
        let (left, right) = (self.turned(left, tl)?, self.turned(right, tr)?);
        Ok(self.composer.op(OpKind::MatMul, &[left, right])?)
    }

    /// The last two axes exchanged, if asked for.
    fn turned(&mut self, v: Value, turn: bool) -> Result<Value, Refusal> {
        if !turn {
            return Ok(v);
        }
        let rank = self.graph().ty(v).rank();
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 2, rank - 1);
        Ok(self.composer.transpose(v, &perm)?)
    }
}
