//! The reduction: loops around unrolled multiply-adds.

use super::Emitter;
use crate::kernel::tile::asm::{Address, Op, Operand, Pointer, VectorAsm};
use crate::kernel::tile::{Nest, Source};
use std::collections::BTreeMap;

impl<A: VectorAsm> Emitter<'_, A> {
    /// Moves the input and weight pointers to these offsets from their start.
    fn move_to(&mut self, input: i64, weights: i64) {
        for base in 0..self.bases.len() {
            self.asm.advance(Pointer::Input(base), input - self.at.0);
        }
        self.asm.advance(Pointer::Weights, weights - self.at.1);
        self.at = (input, weights);
    }

    pub(super) fn nest(&mut self, nest: &Nest) {
        let (input, weights) = (i64::from(nest.input), i64::from(nest.weights));
        self.move_to(input, weights);
        let counted: Vec<_> = nest
            .loops
            .iter()
            .enumerate()
            .filter(|(_, l)| l.trip > 1)
            .collect();
        for &(depth, l) in counted.iter().rev() {
            self.asm.begin_loop(depth, l.trip);
        }
        if self.slides(nest) {
            self.lanes_window(nest);
        } else {
            for tap in &nest.taps {
                let (input, weights) = (i64::from(tap.input), i64::from(tap.weights));
                match self.tile.source {
                    Source::Broadcast => self.broadcast_tap(input, weights),
                    Source::Lanes => self.lanes_tap(input, weights),
                }
            }
        }
        // On leaving a loop the pointers stand at the start of its last iteration plus one stride, so the next loop
        // out moves by the difference.
        for (depth, l) in counted {
            self.move_to(input + i64::from(l.input), weights + i64::from(l.weights));
            self.asm.end_loop(depth);
            let trip = i64::from(l.trip);
            self.at = (
                input + trip * i64::from(l.input),
                weights + trip * i64::from(l.weights),
            );
        }
    }

    fn broadcast_tap(&mut self, tap: i64, row: i64) {
        let columns = self.columns();
        let weights = |offset: i64| Address {
            pointer: Pointer::Weights,
            offset: row + offset,
        };
        let single = self.tile.pixels.len() == 1;
        if A::EMBEDS_BROADCAST && !single {
            for group in columns.chunks(self.scratch_count()) {
                for (slot, &(_, column, offset)) in group.iter().enumerate() {
                    self.asm
                        .load(column.span(), self.scratch(slot), weights(offset));
                }
                for pixel in 0..self.tile.pixels.len() {
                    let x = Operand::Broadcast(self.input(pixel, tap));
                    for (slot, &(index, column, _)) in group.iter().enumerate() {
                        let (acc, w) = (self.acc(pixel, index), self.scratch(slot));
                        self.asm.arithmetic(Op::MulAdd, column.lanes, acc, w, x);
                    }
                }
            }
            return;
        }
        let in_registers = !single && self.scratch_count() > columns.len();
        if in_registers {
            for &(index, column, offset) in &columns {
                self.asm
                    .load(column.span(), self.scratch(index), weights(offset));
            }
        }
        let first_free = if in_registers { columns.len() } else { 1 };
        let free = self.scratch_count() - first_free;
        for pixel in 0..self.tile.pixels.len() {
            let x = if in_registers {
                self.scratch(first_free + pixel % free)
            } else {
                self.scratch(0)
            };
            let from = self.input(pixel, tap);
            self.asm.broadcast(self.widest(), x, from);
            for &(index, column, offset) in &columns {
                let w = if in_registers {
                    Operand::Reg(self.scratch(index))
                } else {
                    self.operand(column.span(), weights(offset), self.scratch(1))
                };
                let acc = self.acc(pixel, index);
                self.asm.arithmetic(Op::MulAdd, column.lanes, acc, x, w);
            }
        }
    }

    fn lanes_tap(&mut self, tap: i64, row: i64) {
        let (w, spare) = (self.scratch(0), self.scratch(1));
        for (index, column, offset) in self.columns() {
            self.asm.load(
                column.span(),
                w,
                Address {
                    pointer: Pointer::Weights,
                    offset: row + offset,
                },
            );
            for pixel in 0..self.tile.pixels.len() {
                let from = self.input(pixel, tap + i64::from(column.input));
                let x = self.operand(column.span(), from, spare);
                let acc = self.acc(pixel, index);
                self.asm.arithmetic(Op::MulAdd, column.lanes, acc, w, x);
            }
        }
    }

    /// One column whose taps overlap from pixel to pixel: the weights stay in registers and each input
    /// vector is loaded once, for all the pixels that use it. Taps ascend, so every accumulator still meets them in order.
    fn lanes_window(&mut self, nest: &Nest) {
        let (column, lanes) = (self.tile.columns[0], self.tile.columns[0].lanes);
        let mut uses: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
        for (index, tap) in nest.taps.iter().enumerate() {
            let from = Address {
                pointer: Pointer::Weights,
                offset: i64::from(tap.weights),
            };
            self.asm.load(column.span(), self.scratch(index), from);
            for (p, pixel) in self.tile.pixels.iter().enumerate() {
                uses.entry(i64::from(pixel.input) + i64::from(tap.input))
                    .or_default()
                    .push((p, index));
            }
        }
        let first_free = nest.taps.len();
        let free = self.scratch_count() - first_free;
        for (turn, users) in uses.into_values().enumerate() {
            let x = self.scratch(first_free + turn % free);
            let (pixel, tap) = users[0];
            let from = self.input(
                pixel,
                i64::from(nest.taps[tap].input) + i64::from(column.input),
            );
            self.asm.load(column.span(), x, from);
            for (pixel, tap) in users {
                let (acc, w) = (self.acc(pixel, 0), self.scratch(tap));
                self.asm
                    .arithmetic(Op::MulAdd, lanes, acc, w, Operand::Reg(x));
            }
        }
    }

    /// Whether [`Self::lanes_window`] applies and has the registers.
    fn slides(&self, nest: &Nest) -> bool {
        self.tile.source == Source::Lanes
            && self.tile.columns.len() == 1
            && nest.taps.is_sorted_by(|a, b| a.input < b.input)
            && self.scratch_count() > nest.taps.len()
    }
}
