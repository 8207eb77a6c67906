//! Addressing that depends on data: what was gathered is added where it came from.

use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::{AttrValue, Attrs};
use crate::class::{Index, Scatter};
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::types::DType;

impl Sweep {
    pub(super) fn index(&mut self, task: &Task, index: &Index) -> Result<Shares, Refusal> {
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        match *index {
            Index::ScatterElements { axis, reduction } => {
                return self.scattered(task, Some(axis), reduction);
            }
            Index::ScatterNd { reduction } => return self.scattered(task, None, reduction),
            _ if task.wanted != [0] => return Err("only its first operand has a gradient".into()),
            _ => {}
        }
        let x = task.inputs[0].ok_or("its operand is missing")?;
        let second = task.inputs.get(1).copied().flatten();
        let second = || second.ok_or("its second operand is missing");
        let dx = match *index {
            Index::Gather { axis } => self.gathered(x, second()?, task.dy, axis)?,
            Index::GatherElements { axis } => self.scatter(x, second()?, task.dy, axis)?,
            Index::GatherNd { batch_dims } => {
                let vectors = self.whole_vectors(second()?, batch_dims)?;
                let ty = self.graph().ty(x).clone();
                let zeros = self.zeros(&ty)?;
                self.composer.with(
                    OpKind::ScatterND,
                    &[zeros, vectors, task.dy],
                    [("reduction", AttrValue::Str("add".to_string()))],
                )?
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
            Index::Cumulative {
                axis,
                exclusive,
                reverse,
                product: true,
            } => self.products(x, task.dy, axis, [exclusive, reverse])?,
            // Its own inverse, hence, as a permutation, its own adjoint.
            Index::ReverseSequence {
                batch_axis,
                time_axis,
            } => self.composer.with(
                OpKind::ReverseSequence,
                &[task.dy, second()?],
                [
                    ("batch_axis", AttrValue::Int(batch_axis as i64)),
                    ("time_axis", AttrValue::Int(time_axis as i64)),
                ],
            )?,
            _ => return Err("operators of its kind have no gradient".into()),
        };
        Ok(vec![(0, dx)])
    }

    /// Running products `y_i`: `dx_j` is the sum of `dy_i` times the product of the others, over the `i` that `x_j` is part of. No element
    /// is divided by, so zeros do no harm; the products of the others are a matrix of the axis.
    fn products(
        &mut self,
        x: Value,
        dy: Value,
        axis: usize,
        [exclusive, reverse]: [bool; 2],
    ) -> Result<Value, Refusal> {
        let (shape, dtype) = (self.shape(x)?, self.graph().ty(x).dtype);
        let (rank, extent) = (shape.len(), shape[axis]);
        let mut order: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
        order.push(axis);
        // [.., 1, n], then [.., j, n] with 1 in the place of x_j.
        let mut row: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
        row.insert(rank - 1, 1);
        let mut square = row.clone();
        square[rank - 1] = extent;
        let (element, place) = (Ex::arg(0, dtype), [rank - 1, rank].map(Ex::index));
        let others = place[0].eq(&place[1]).select(&element.lit(1.0), &element);
        let [x, dy] = [x, dy].map(|v| {
            let turned = self.composer.transpose(v, &order)?;
            let row = self.composer.reshape(turned, &row)?;
            self.composer.expand(row, &square)
        });
        let others = self.map_of(&others, &[x?], dtype)?;
        let last = self.composer.scalar(DType::I64, rank as f64);
        let products = self.composer.with(
            OpKind::CumProd,
            &[others, last],
            [
                ("exclusive", AttrValue::Int(exclusive.into())),
                ("reverse", AttrValue::Int(reverse.into())),
            ],
        )?;
        // Whether x_j is a factor of y_i.
        let [j, i] = &place;
        let is_factor = match (reverse, exclusive) {
            (false, false) => j.le(i),
            (false, true) => j.lt(i),
            (true, false) => i.le(j),
            (true, true) => i.lt(j),
        };
        let share = &element * &Ex::arg(1, dtype);
        let share = is_factor.select(&share, &element.lit(0.0));
        let shares = self.map_of(&share, &[products, dy?], dtype)?;
        let sums = self
            .composer
            .reduce(OpKind::ReduceSum, shares, &[rank as i64], false)?;
        let mut back = vec![0; rank];
        order.iter().enumerate().for_each(|(k, &a)| back[a] = k);
        Ok(self.composer.transpose(sums, &back)?)
    }

    /// `y` is `x` but for `updates` that replace elements, or are added to them, at `indices` along `axis` (without one: at vectors of
    /// indices). `dx` is `dy`, with zeros where it was replaced; the updates' gradient is read where they went.
    fn scattered(
        &mut self,
        task: &Task,
        axis: Option<usize>,
        reduction: Scatter,
    ) -> Result<Shares, Refusal> {
        if !matches!(reduction, Scatter::Replace | Scatter::Add) {
            return Err("only updates that replace or are added have a gradient".into());
        }
        let operand = |k: usize| task.inputs.get(k).copied().flatten();
        let indices = operand(1).ok_or("its indices are missing")?;
        let updates = operand(2).ok_or("its updates are missing")?;
        let (scatter, gather) = match axis {
            Some(_) => (OpKind::ScatterElements, OpKind::GatherElements),
            None => (OpKind::ScatterND, OpKind::GatherND),
        };
        let attrs: Attrs = axis
            .map(|axis| ("axis".to_string(), AttrValue::Int(axis as i64)))
            .into_iter()
            .collect();
        let mut shares = Vec::new();
        for &k in &task.wanted {
            let (kind, operands) = match (k, reduction) {
                (0, Scatter::Add) => {
                    shares.push((0, task.dy));
                    continue;
                }
                (0, _) => {
                    let ty = self.graph().ty(updates).clone();
                    (scatter, vec![task.dy, indices, self.zeros(&ty)?])
                }
                _ => (gather, vec![task.dy, indices]),
            };
            let operands = operands.into_iter().map(Some).collect();
            let made = self.composer.multi(kind, operands, attrs.clone(), 1)?;
            shares.extend(made.first().map(|&share| (k, share)));
        }
        Ok(shares)
    }

    /// Vectors of indices with the positions along the leading `batch` axes put in front.
    fn whole_vectors(&mut self, indices: Value, batch: usize) -> Result<Value, Refusal> {
        if batch == 0 {
            return Ok(indices);
        }
        let mut shape = self.shape(indices)?;
        let last = shape.len() - 1;
        shape[last] = 1;
        let mut parts = Vec::new();
        for axis in 0..batch {
            let line = self.composer.iota(shape[axis], axis, shape.len())?;
            parts.push(self.composer.expand(line, &shape)?);
        }
        parts.push(indices);
        Ok(self.composer.concat(&parts, last)?)
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
