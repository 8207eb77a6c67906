//! Movements: what was moved there is moved back; what was read several times is summed.
//!
//! The adjoint of a view `out[o] = x[offset + step * o]` sums over output axes that no input axis follows, puts the others in the
//! input's order, turns round those with a negative step, spreads those with a larger one, and pads or crops.

use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::class::{AxisMap, Movement};
use crate::graph::Value;
use crate::ops::OpKind;

impl Sweep {
    pub(super) fn movement(&mut self, task: &Task, movement: &Movement) -> Result<Shares, Refusal> {
        if let Movement::Concat { axis } = movement {
            return self.parts(task, *axis);
        }
        if !task.wanted.contains(&0) {
            return Ok(Vec::new());
        }
        let x = task.inputs[0].ok_or("its operand is missing")?;
        let shape = self.shape(x)?;
        let dx = match movement {
            Movement::View { axes, .. } => self.view(task.dy, axes, &shape)?,
            Movement::Reshape | Movement::Concat { .. } => {
                self.composer.reshape(task.dy, &shape)?
            }
        };
        Ok(vec![(0, dx)])
    }

    fn parts(&mut self, task: &Task, axis: usize) -> Result<Shares, Refusal> {
        let mut shares = Vec::new();
        let mut start = 0;
        for (k, part) in task.inputs.iter().enumerate() {
            let Some(part) = *part else { continue };
            let extent = self.shape(part)?[axis] as i64;
            if task.wanted.contains(&k) {
                let share = self.composer.slice(task.dy, axis, start, start + extent)?;
                shares.push((k, share));
            }
            start += extent;
        }
        Ok(shares)
    }

    /// Split: the gradients of its parts one after the other.
    pub(super) fn split(&mut self, task: &Task, given: &[(u32, Value)]) -> Result<Shares, Refusal> {
        if task.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let node = self.graph().node(task.id);
        let types: Vec<_> = node.outputs.iter().map(|o| o.ty.clone()).collect();
        let rank = types.first().map_or(0, |ty| ty.rank());
        let axis = match node.op().and_then(|op| op.attrs.get("axis")) {
            Some(&AttrValue::Int(axis)) if axis < 0 => (rank as i64 + axis) as usize,
            Some(&AttrValue::Int(axis)) => axis as usize,
            _ => 0,
        };
        let mut parts = Vec::new();
        for (slot, ty) in types.iter().enumerate() {
            let part = given.iter().find(|(k, _)| *k as usize == slot);
            parts.push(match part {
                Some(&(_, dy)) => dy,
                None => self.zeros(ty)?,
            });
        }
        Ok(vec![(0, self.composer.concat(&parts, axis)?)])
    }

    fn view(&mut self, dy: Value, axes: &[AxisMap], shape: &[usize]) -> Result<Value, Refusal> {
        let made = self.shape(dy)?;
        let followed: Vec<usize> = axes.iter().filter_map(|map| map.axis).collect();
        let mut once = followed.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() != followed.len() {
            return Err("two axes of the operand follow one of the result".into());
        }
        // An axis that is only stretched (step 0) is summed as those that nothing follows.
        let stretched = |map: &&AxisMap| map.step == 0;
        let stretched: Vec<usize> = axes
            .iter()
            .filter(stretched)
            .filter_map(|m| m.axis)
            .collect();
        let summed: Vec<i64> = (0..made.len())
            .filter(|a| !followed.contains(a) || stretched.contains(a))
            .map(|a| a as i64)
            .collect();
        let mut dx = dy;
        if !summed.is_empty() {
            dx = self
                .composer
                .reduce(OpKind::ReduceSum, dx, &summed, false)?;
        }
        let kept = |map: &AxisMap| map.axis.filter(|a| !summed.contains(&(*a as i64)));
        let mut order: Vec<usize> = axes.iter().filter_map(kept).collect();
        let mut ascending = order.clone();
        ascending.sort_unstable();
        for axis in &mut order {
            *axis = ascending.binary_search(axis).unwrap_or(0);
        }
        if !order.is_sorted() {
            dx = self.composer.transpose(dx, &order)?;
        }
        let extents: Vec<usize> = axes
            .iter()
            .map(|map| kept(map).map_or(1, |a| made[a]))
            .collect();
        dx = self.composer.reshape(dx, &extents)?;
        for (a, map) in axes.iter().enumerate() {
            let map = match kept(map) {
                Some(_) => *map,
                None => AxisMap { step: 1, ..*map },
            };
            dx = self.place(dx, a, &map, shape[a])?;
        }
        Ok(dx)
    }

    /// Puts element `o` along axis `a` to `offset + step * o` of `extent` places, zeros elsewhere.
    fn place(
        &mut self,
        x: Value,
        a: usize,
        map: &AxisMap,
        extent: usize,
    ) -> Result<Value, Refusal> {
        let shape = self.shape(x)?;
        let (count, rank) = (shape[a], shape.len());
        let (mut dx, mut first) = (x, map.offset);
        if map.step < 0 && count > 1 {
            let backwards: Vec<i64> = (0..count as i64).rev().collect();
            dx = self.composer.select(dx, a, &backwards)?;
            first += map.step * (count as i64 - 1);
        }
        let step = map.step.unsigned_abs() as usize;
        let mut length = count;
        if step > 1 && count > 1 {
            // [.., n, ..] -> [.., n, step, ..] -> [.., n * step, ..]
            let mut split = shape.clone();
            split.insert(a + 1, 1);
            dx = self.composer.reshape(dx, &split)?;
            let mut pads = vec![0; 2 * (rank + 1)];
            pads[rank + 1 + a + 1] = step as i64 - 1;
            dx = self.pad(dx, &pads)?;
            length = count * step;
            let mut joined = shape.clone();
            joined[a] = length;
            dx = self.composer.reshape(dx, &joined)?;
        }
        let behind = extent as i64 - first - length as i64;
        if (first, behind) == (0, 0) {
            return Ok(dx);
        }
        let mut pads = vec![0; 2 * rank];
        (pads[a], pads[rank + a]) = (first, behind);
        self.pad(dx, &pads)
    }
}
