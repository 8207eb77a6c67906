//! Addressing that depends on data: what was gathered is added where it came from.

use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::class::Index;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::types::DType;

impl Sweep {
    pub(super) fn index(&mut self, task: &Task, index: &Index) -> Result<Shares, Refusal> {
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        if task.wanted != [0] {
            return Err("only its first operand has a gradient".into());
        }
        let x = task.inputs[0].ok_or("its operand is missing")?;
        let second = || task.inputs.get(1).copied().flatten();
        let dx = match *index {
            Index::Gather { axis } => {
                let indices = second().ok_or("its indices are missing")?;
                self.gathered(x, indices, task.dy, axis)?
            }
            Index::GatherElements { axis } => {
                let indices = second().ok_or("its indices are missing")?;
                self.scatter(x, indices, task.dy, axis)?
            }
            Index::TopK { axis, .. } => {
                let positions = Value {
                    node: task.id,
                    slot: 1,
                };
                self.scatter(x, positions, task.dy, axis)?
            }
            Index::Cumulative {
                axis,
                exclusive,
                reverse,
                product: false,
            } => {
                let axis = self.composer.scalar(DType::I64, axis as f64);
                self.composer.with(
                    OpKind::CumSum,
                    &[task.dy, axis],
                    [
                        ("exclusive", AttrValue::Int(exclusive.into())),
                        ("reverse", AttrValue::Int((!reverse).into())),
                    ],
                )?
            }
            _ => return Err("has no gradient yet".into()),
        };
        Ok(vec![(0, dx)])
    }

    /// `dy` added to zeros of the shape of `x` at `indices` along `axis`.
    fn scatter(
        &mut self,
        x: Value,
        indices: Value,
        dy: Value,
        axis: usize,
    ) -> Result<Value, Refusal> {
        let ty = self.graph().ty(x).clone();
        let zeros = self.zeros(&ty)?;
        Ok(self.composer.with(
            OpKind::ScatterElements,
            &[zeros, indices, dy],
            [
                ("axis", AttrValue::Int(axis as i64)),
                ("reduction", AttrValue::Str("add".to_string())),
            ],
        )?)
    }

    /// The adjoint of Gather: slices of `dy` added to the slices of `x` that they came from.
    fn gathered(
        &mut self,
        x: Value,
        indices: Value,
        dy: Value,
        axis: usize,
    ) -> Result<Value, Refusal> {
        let (shape, chosen) = (self.shape(x)?, self.shape(indices)?);
        let rank = self.graph().ty(dy).rank();
        // The gathered axes first, then the rest; the gathered axis of x likewise.
        let picked = axis..axis + chosen.len();
        let order: Vec<usize> = picked
            .clone()
            .chain((0..rank).filter(|a| !picked.contains(a)))
            .collect();
        let updates = self.composer.transpose(dy, &order)?;
        let mut row = chosen.clone();
        row.push(1);
        let indices = self.composer.reshape(indices, &row)?;
        let front: Vec<usize> = [axis]
            .into_iter()
            .chain((0..shape.len()).filter(|&a| a != axis))
            .collect();
        let moved: Vec<usize> = front.iter().map(|&a| shape[a]).collect();
        let zero = self.composer.scalar(self.graph().ty(x).dtype, 0.0);
        let zeros = self.composer.expand(zero, &moved)?;
        let sum = self.composer.with(
            OpKind::ScatterND,
            &[zeros, indices, updates],
            [("reduction", AttrValue::Str("add".to_string()))],
        )?;
        let mut back = vec![0; front.len()];
        front.iter().enumerate().for_each(|(i, &a)| back[a] = i);
        Ok(self.composer.transpose(sum, &back)?)
    }
}
