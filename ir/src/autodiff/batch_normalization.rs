//! Batch normalisation in training mode, whose gradient is simpler than that of what it consists of (Ioffe and Szegedy,
//! arXiv:1502.03167). With `d = sqrt(var + epsilon)` and M elements a channel:
//!
//! ```text
//! dB = sum(dy)      dscale = sum(dy (x - mean)) / d
//! dx = scale / d (dy - dB / M - (x - mean) dscale / (d M))
//! ```

use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::expr::Ex;
use crate::graph::Op;
use crate::ops::OpKind;
use crate::ops::normalization::{batch_axes, batch_moments, deviation_of, per_channel};

/// Whether the rule is this one.
pub(super) fn covers(op: &Op) -> bool {
    op.kind == OpKind::BatchNormalization
        && op.attrs.get("training_mode") == Some(&AttrValue::Int(1))
}

impl Sweep {
    pub(super) fn batch_normalization(&mut self, task: &Task, op: &Op) -> Result<Shares, Refusal> {
        let operand = |i: usize| task.inputs.get(i).copied().flatten();
        let (x, scale) = (operand(0), operand(1));
        let (x, scale) = (x.ok_or("it has no input")?, scale.ok_or("it has no scale")?);
        let epsilon = match op.attrs.get("epsilon") {
            Some(AttrValue::Float(epsilon)) => *epsilon,
            _ => 1e-5,
        };
        let (stored, vectors) = (self.graph().ty(x).dtype, self.graph().ty(scale).dtype);
        let shape = self.shape(x)?;
        let (rank, channels) = (shape.len(), shape[1]);
        let count = shape.iter().product::<usize>() / channels.max(1);
        let c = &mut self.composer;
        let dtype = stored.compute();
        let [x, dy, scale] = [
            c.cast(x, dtype)?,
            c.cast(task.dy, dtype)?,
            c.cast(scale, dtype)?,
        ];
        // The same nodes as those of the forward pass, computed once when common ones are joined.
        let [mean, variance] = batch_moments(c, x)?;
        let deviation = deviation_of(c, epsilon, variance)?;
        let scale = per_channel(c, scale, rank)?;
        let arg = |k: usize| Ex::arg(k, dtype);
        let product = c.map(&(arg(0) * (arg(1) - arg(2))), &[dy, x, mean])?;
        let axes = batch_axes(rank);
        let sum = c.reduce(OpKind::ReduceSum, dy, &axes, true)?;
        let moment = c.reduce(OpKind::ReduceSum, product, &axes, true)?;
        let by_scale = c.op(OpKind::Div, &[moment, deviation])?;
        let factor = c.op(OpKind::Div, &[scale, deviation])?;
        let share = 1.0 / count as f64;
        let shift = c.map(&(arg(0) * share), &[sum])?;
        let slope = c.map(&(arg(0) * share / arg(1)), &[by_scale, deviation])?;
        let dx = (arg(0) - arg(4) - (arg(1) - arg(2)) * arg(5)) * arg(3);
        let dx = c.map(&dx, &[dy, x, mean, factor, shift, slope])?;
        let vector = [channels];
        let shares = [
            (0, c.cast(dx, stored)?),
            (1, c.reshape(by_scale, &vector)?),
            (2, c.reshape(sum, &vector)?),
        ];
        let mut wanted = Vec::new();
        for (k, share) in shares.into_iter().filter(|(k, _)| task.wanted.contains(k)) {
            let share = if k == 0 {
                share
            } else {
                c.cast(share, vectors)?
            };
            wanted.push((k, share));
        }
        Ok(wanted)
    }
}
