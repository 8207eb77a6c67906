//! Reductions `y = finish(combine over axes of map(x))`.
//!
//! Sums: `dx = map'(x) * finish'(s) * dy`. Extremes: `dy` in equal parts to all elements that equal the extreme. Products: `dy` times the
//! product of the others.

use super::expr::derivative;
use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::class::{Combine, Reduce};
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::types::DType;

impl Sweep {
    pub(super) fn reduce(&mut self, task: &Task, reduce: &Reduce) -> Result<Shares, Refusal> {
        let x = task.inputs[0].ok_or("its operand is missing")?;
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let shape = self.shape(x)?;
        let mut kept = shape.clone();
        reduce.axes.iter().for_each(|&axis| kept[axis] = 1);
        let dy = self.composer.reshape(task.dy, &kept)?;
        let dx = match reduce.combine {
            Combine::Sum => self.sum(x, dy, reduce)?,
            Combine::Max | Combine::Min => self.extreme(task, x, dy, reduce, &kept)?,
            Combine::Prod => self.product(x, dy, reduce)?,
            Combine::ArgMax { .. } | Combine::ArgMin { .. } => return Ok(Vec::new()),
        };
        let dx = if self.shape(dx)? == shape {
            dx
        } else {
            self.composer.expand(dx, &shape)?
        };
        Ok(vec![(0, dx)])
    }

    fn sum(&mut self, x: Value, dy: Value, reduce: &Reduce) -> Result<Value, Refusal> {
        let dtype = self.graph().ty(x).dtype;
        let shape = self.shape(x)?;
        let count: usize = reduce.axes.iter().map(|&axis| shape[axis]).product();
        // Operands: x, the sum, dy.
        let [element, sum, given] = [0, 1, 2].map(|k| Ex::arg(k, dtype));
        let mut slope = given.clone();
        if let Some(finish) = &reduce.finish {
            let args = [sum, element.lit(count as f64)];
            slope = derivative(finish, &args, 0, None)
                .times(&slope)
                .value(slope.dtype());
        }
        if let Some(map) = &reduce.map {
            slope = derivative(map, std::slice::from_ref(&element), 0, None)
                .times(&slope)
                .value(slope.dtype());
        }
        let reads_sum = slope
            .finish()
            .insts
            .iter()
            .any(|inst| inst.op == crate::expr::ExprOp::Arg(1));
        let sum = match reads_sum {
            true => self.unfinished(x, reduce)?,
            false => dy,
        };
        self.map_of(&slope, &[x, sum, dy], dtype)
    }

    /// The sum before it is finished.
    fn unfinished(&mut self, x: Value, reduce: &Reduce) -> Result<Value, Refusal> {
        let dtype = self.graph().ty(x).dtype;
        let mapped = match &reduce.map {
            Some(map) => {
                let map = map.apply(&[Ex::arg(0, dtype)]);
                self.map_of(&map, &[x], dtype)?
            }
            None => x,
        };
        let axes: Vec<i64> = reduce.axes.iter().map(|&axis| axis as i64).collect();
        Ok(self
            .composer
            .reduce(OpKind::ReduceSum, mapped, &axes, true)?)
    }

    fn extreme(
        &mut self,
        task: &Task,
        x: Value,
        dy: Value,
        reduce: &Reduce,
        kept: &[usize],
    ) -> Result<Value, Refusal> {
        if reduce.map.is_some() || reduce.finish.is_some() {
            return Err("an extreme of mapped elements".into());
        }
        let dtype = self.graph().ty(x).dtype;
        let y = self.composer.reshape(task.id.into(), kept)?;
        let [element, extreme] = [0, 1].map(|k| Ex::arg(k, dtype));
        let equal = element.eq(&extreme).cast(dtype.compute());
        let equal = self.map_of(&equal, &[x, y], dtype)?;
        let axes: Vec<i64> = reduce.axes.iter().map(|&axis| axis as i64).collect();
        let count = self
            .composer
            .reduce(OpKind::ReduceSum, equal, &axes, true)?;
        let [equal_arg, count_arg, dy_arg] = [0, 1, 2].map(|k| Ex::arg(k, dtype));
        let share = equal_arg * dy_arg / count_arg;
        self.map_of(&share, &[equal, count, dy], dtype)
    }

    fn product(&mut self, x: Value, dy: Value, reduce: &Reduce) -> Result<Value, Refusal> {
        if reduce.map.is_some() || reduce.finish.is_some() {
            return Err("a product of mapped elements".into());
        }
        let others = match reduce.axes[..] {
            [] => return Ok(dy),
            [axis] => self.others(x, axis)?,
            _ => {
                // The reduced axes become one, behind the others.
                let shape = self.shape(x)?;
                let kept = (0..shape.len()).filter(|axis| !reduce.axes.contains(axis));
                let order: Vec<usize> = kept.chain(reduce.axes.iter().copied()).collect();
                let turned: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
                let last = shape.len() - reduce.axes.len();
                let mut flat = turned[..last].to_vec();
                flat.push(turned[last..].iter().product());
                let x = self.composer.transpose(x, &order)?;
                let x = self.composer.reshape(x, &flat)?;
                let others = self.others(x, last)?;
                let others = self.composer.reshape(others, &turned)?;
                let mut back = vec![0; order.len()];
                (0..order.len()).for_each(|k| back[order[k]] = k);
                self.composer.transpose(others, &back)?
            }
        };
        Ok(self.composer.op(OpKind::Mul, &[others, dy])?)
    }

    /// For each element the product of the others along an axis: of those before and those behind it.
    fn others(&mut self, x: Value, axis: usize) -> Result<Value, Refusal> {
        let axis = self.composer.scalar(DType::I64, axis as f64);
        let mut before = |reverse: i64| {
            self.composer.with(
                OpKind::CumProd,
                &[x, axis],
                [
                    ("exclusive", AttrValue::Int(1)),
                    ("reverse", AttrValue::Int(reverse)),
                ],
            )
        };
        let (left, right) = (before(0)?, before(1)?);
        Ok(self.composer.op(OpKind::Mul, &[left, right])?)
    }
}
