//! Operators that only move elements.

use super::{Dice, Net, attrs, ints, text};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::{OpKind, Value};

impl Net {
    pub fn transpose(&mut self, x: Value, dice: &mut Dice) {
        let mut perm: Vec<i64> = (0..self.shape(x).len() as i64).collect();
        for last in (1..perm.len()).rev() {
            perm.swap(last, dice.below(last + 1));
        }
        self.unary(OpKind::Transpose, x, attrs([("perm", ints(&perm))]));
    }

    pub fn reshape(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let extent = |axis: usize| shape.get(axis).map_or(1, |&n| n as i64);
        let wanted = match dice.below(4) {
            0 => vec![extent(0), -1],
            1 => vec![extent(0), extent(1), -1],
            2 => vec![extent(0), -1, 1, extent(shape.len() - 1)],
            _ => vec![1, extent(1), -1, 1],
        };
        let wanted = self.constant(&wanted);
        self.add(OpKind::Reshape, &[Some(x), Some(wanted)], Attrs::new());
    }

    pub fn slice(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let axis = dice.below(shape.len());
        let start = dice.below(shape[axis]);
        let end = start + 1 + dice.below(shape[axis] - start);
        let [starts, ends, axes] = [start, end, axis].map(|v| self.constant(&[v as i64]));
        let step = dice.pick(&[1, 1, 2]);
        let steps = self.constant(&[step]);
        self.add(
            OpKind::Slice,
            &[x, starts, ends, axes, steps].map(Some),
            Attrs::new(),
        );
    }

    pub fn pad(&mut self, x: Value, dice: &mut Dice) {
        let rank = self.shape(x).len();
        let mut pads = vec![0; 2 * rank];
        for axis in rank.saturating_sub(2)..rank {
            pads[axis] = dice.pick(&[0, 1, 2]);
            pads[rank + axis] = dice.pick(&[0, 1]);
        }
        let pads = self.constant(&pads);
        let mode = dice.pick(&["constant", "constant", "reflect", "edge"]);
        self.add(
            OpKind::Pad,
            &[Some(x), Some(pads)],
            attrs([("mode", text(mode))]),
        );
    }

    /// Channels and pixels exchange places: depth to space and back, or the shuffle between grouped convolutions.
    pub fn shuffle(&mut self, x: Value, dice: &mut Dice) {
        let block = attrs([("blocksize", AttrValue::Int(2))]);
        match dice.below(3) {
            0 => self.unary(OpKind::DepthToSpace, x, block),
            1 => self.unary(OpKind::SpaceToDepth, x, block),
            _ => {
                let shape = self.shape(x);
                let [n, c, h, w] = shape[..] else { return };
                if c % 2 != 0 {
                    return;
                }
                let split = self.constant(&[n, 2, c / 2, h, w].map(|d| d as i64));
                self.add(OpKind::Reshape, &[Some(x), Some(split)], Attrs::new());
                let parts = self.values[self.values.len() - 1];
                self.unary(
                    OpKind::Transpose,
                    parts,
                    attrs([("perm", ints(&[0, 2, 1, 3, 4]))]),
                );
                let crossed = self.values[self.values.len() - 1];
                let joined = self.constant(&[n, c, h, w].map(|d| d as i64));
                self.add(
                    OpKind::Reshape,
                    &[Some(crossed), Some(joined)],
                    Attrs::new(),
                );
            }
        }
    }
}
