//! Softmax and its logarithm, whose gradients are simpler than those of what they consist of.
//!
//! `y = softmax(x)`: `dx = y (dy - sum(dy y))`. `y = log softmax(x)`: `dx = dy - exp(y) sum(dy)`. Sums run along the axis, or the axes.

use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::expr::Ex;
use crate::graph::{Op, Value};
use crate::ops::OpKind;

/// Whether an operator has a rule here, so that it is not replaced by its parts.
pub(super) fn covers(op: &Op) -> bool {
    matches!(op.kind, OpKind::Softmax | OpKind::LogSoftmax)
}

impl Sweep {
    pub(super) fn softmax(&mut self, task: &Task, op: &Op) -> Result<Shares, Refusal> {
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let y: Value = task.id.into();
        let (dtype, rank) = (self.graph().ty(y).dtype, self.graph().ty(y).rank() as i64);
        let int = |name: &str| match op.attrs.get(name) {
            Some(AttrValue::Int(n)) => Some(*n),
            _ => None,
        };
        let axis = int("axis").unwrap_or(-1).rem_euclid(rank);
        // The form of old opsets normalises over everything from the axis on.
        let axes: Vec<i64> = match int("flatten") {
            Some(1) => (axis..rank).collect(),
            _ => vec![axis],
        };
        let [y_arg, dy_arg, sum_arg] = [0, 1, 2].map(|k| Ex::arg(k, dtype));
        let is_logarithm = op.kind == OpKind::LogSoftmax;
        let summed = match is_logarithm {
            true => task.dy,
            false => self.composer.op(OpKind::Mul, &[y, task.dy])?,
        };
        let sum = self
            .composer
            .reduce(OpKind::ReduceSum, summed, &axes, true)?;
        let dx = match is_logarithm {
            true => dy_arg - y_arg.exp() * sum_arg,
            false => y_arg * (dy_arg - sum_arg),
        };
        Ok(vec![(0, self.map_of(&dx, &[y, task.dy, sum], dtype)?)])
    }
}
