//! The reduction: loops around unrolled multiply-adds.

use super::Emitter;
use crate::kernel::tile::asm::{Address, Op, Operand, Pointer, VectorAsm};
use crate::kernel::tile::{Nest, Pool, Source, Span, Tap};
use std::collections::BTreeMap;

/// How far ahead of their use weights are asked for: a page, some hundred cycles of multiply-adds.
const PREFETCH: i64 = 4096;

/// What a tap reads of one column's weights.
struct Weights {
    /// The column's index.
    index: usize,
    span: Span,
    from: Address,
}

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
        if let Some(runs) = self.sliding_runs(nest) {
            for run in runs {
                self.lanes_window(run);
            }
        } else {
            for tap in &nest.taps {
                match self.tile.source {
                    Source::Broadcast => self.broadcast_tap(tap),
                    Source::Lanes => self.lanes_tap(tap),
                    Source::Pool(pool) => self.pool_tap(pool, tap),
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

    fn broadcast_tap(&mut self, tap: &Tap) {
        let columns: Vec<Weights> = self
            .columns()
            .into_iter()
            .zip(self.tile.clipped(tap.clip))
            .filter_map(|((index, column, offset), span)| {
                let offset = i64::from(tap.weights) + offset + i64::from(column.weights);
                Some(Weights {
                    index,
                    span: span?,
                    from: Address {
                        pointer: Pointer::Weights,
                        offset,
                    },
                })
            })
            .collect();
        if columns.is_empty() {
            return;
        }
        let single = self.tile.pixels.len() == 1;
        let fit = self.scratch_count() > columns.len();
        if !single && fit && !(A::EMBEDS_BROADCAST && columns.len() == 1) {
            self.weights_in_registers(tap, &columns);
        } else if A::EMBEDS_BROADCAST && !single {
            for group in columns.chunks(self.scratch_count()) {
                self.embedded_broadcasts(tap, group);
            }
        } else {
            self.weights_in_memory(tap, &columns);
        }
    }

    /// Loads weights into a scratch register, and asks for those that come much later: they stream through, and the processor's own
    /// prefetchers stop at every page.
    fn weights(&mut self, column: &Weights, slot: usize) {
        self.asm.load(column.span, self.scratch(slot), column.from);
        self.asm.prefetch(Address {
            offset: column.from.offset + PREFETCH,
            ..column.from
        });
    }

    /// Weights in registers, each scalar an operand of its multiply-adds: for a single column, or when no register is left. With
    /// several columns every multiply-add would load the scalar anew, and processors load no more often than they multiply.
    fn embedded_broadcasts(&mut self, tap: &Tap, columns: &[Weights]) {
        for (slot, column) in columns.iter().enumerate() {
            self.weights(column, slot);
        }
        for pixel in 0..self.tile.pixels.len() {
            let x = Operand::Broadcast(self.input(pixel, i64::from(tap.input)));
            for (slot, column) in columns.iter().enumerate() {
                let (acc, w) = (self.acc(pixel, column.index), self.scratch(slot));
                self.asm
                    .arithmetic(Op::MulAdd, column.span.lanes, acc, w, x);
            }
        }
    }

    /// Weights in registers, scalars broadcast to the registers that are left, in turn.
    fn weights_in_registers(&mut self, tap: &Tap, columns: &[Weights]) {
        for (slot, column) in columns.iter().enumerate() {
            self.weights(column, slot);
        }
        let free = self.scratch_count() - columns.len();
        for pixel in 0..self.tile.pixels.len() {
            let x = self.scratch(columns.len() + pixel % free);
            let from = self.input(pixel, i64::from(tap.input));
            self.asm.broadcast(self.widest(), x, from);
            for (slot, column) in columns.iter().enumerate() {
                let (acc, w) = (
                    self.acc(pixel, column.index),
                    Operand::Reg(self.scratch(slot)),
                );
                self.asm
                    .arithmetic(Op::MulAdd, column.span.lanes, acc, x, w);
            }
        }
    }

    /// Weights as operands of the multiply-adds: when there are no registers for them, or a single pixel.
    fn weights_in_memory(&mut self, tap: &Tap, columns: &[Weights]) {
        for pixel in 0..self.tile.pixels.len() {
            let (x, spare) = (self.scratch(0), self.scratch(1));
            let from = self.input(pixel, i64::from(tap.input));
            self.asm.broadcast(self.widest(), x, from);
            for column in columns {
                let w = self.operand(column.span, column.from, spare);
                let acc = self.acc(pixel, column.index);
                self.asm
                    .arithmetic(Op::MulAdd, column.span.lanes, acc, x, w);
            }
        }
    }

    fn lanes_tap(&mut self, tap: &Tap) {
        let (w, spare) = (self.scratch(0), self.scratch(1));
        for (index, column, offset) in self.columns() {
            let offset = i64::from(tap.weights) + offset + i64::from(column.weights);
            self.asm.load(
                column.span(),
                w,
                Address {
                    pointer: Pointer::Weights,
                    offset,
                },
            );
            for pixel in 0..self.tile.pixels.len() {
                let from = self.input(pixel, i64::from(tap.input) + i64::from(column.input));
                let x = self.operand(column.span(), from, spare);
                let acc = self.acc(pixel, index);
                self.asm.arithmetic(Op::MulAdd, column.lanes, acc, w, x);
            }
        }
    }

    /// Elements without weights. Of two comparisons each keeps the NaN of one side, and a NaN stays one in their union.
    fn pool_tap(&mut self, pool: Pool, tap: &Tap) {
        let (x, other) = (self.scratch(0), self.scratch(1));
        for (index, column, _) in self.columns() {
            let lanes = column.lanes;
            for pixel in 0..self.tile.pixels.len() {
                let from = self.input(pixel, i64::from(tap.input) + i64::from(column.input));
                let acc = self.acc(pixel, index);
                match pool {
                    Pool::Sum => {
                        let x = self.operand(column.span(), from, x);
                        self.asm.arithmetic(Op::Add, lanes, acc, acc, x);
                    }
                    Pool::Max => {
                        self.asm.load(column.span(), x, from);
                        let (old, new) = (Operand::Reg(acc), Operand::Reg(x));
                        self.asm.arithmetic(Op::Max, lanes, other, x, old);
                        self.asm.arithmetic(Op::Max, lanes, acc, acc, new);
                        self.asm
                            .arithmetic(Op::Or, lanes, acc, acc, Operand::Reg(other));
                    }
                }
            }
        }
    }

    /// One column whose taps overlap from pixel to pixel: the weights stay in registers and each input
    /// vector is loaded once, for all the pixels that use it. Taps ascend, so every accumulator still meets them in order.
    fn lanes_window(&mut self, taps: &[Tap]) {
        let (column, lanes) = (self.tile.columns[0], self.tile.columns[0].lanes);
        let mut uses: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
        for (index, tap) in taps.iter().enumerate() {
            let from = Address {
                pointer: Pointer::Weights,
                offset: i64::from(tap.weights) + i64::from(column.weights),
            };
            self.asm.load(column.span(), self.scratch(index), from);
            for (p, pixel) in self.tile.pixels.iter().enumerate() {
                uses.entry(i64::from(pixel.input) + i64::from(tap.input))
                    .or_default()
                    .push((p, index));
            }
        }
        let first_free = taps.len();
        let free = self.scratch_count() - first_free;
        for (turn, users) in uses.into_values().enumerate() {
            let x = self.scratch(first_free + turn % free);
            let (pixel, tap) = users[0];
            let from = self.input(pixel, i64::from(taps[tap].input) + i64::from(column.input));
            self.asm.load(column.span(), x, from);
            for (pixel, tap) in users {
                let (acc, w) = (self.acc(pixel, 0), self.scratch(tap));
                self.asm
                    .arithmetic(Op::MulAdd, lanes, acc, w, Operand::Reg(x));
            }
        }
    }

    /// The taps cut into runs that [`Self::lanes_window`] has the registers for, if it applies: all of them, or the rows of the
    /// kernel.
    fn sliding_runs<'n>(&self, nest: &'n Nest) -> Option<Vec<&'n [Tap]>> {
        let slides = self.tile.source == Source::Lanes
            && self.tile.columns.len() == 1
            && nest.taps.is_sorted_by(|a, b| a.input < b.input);
        let fits = |taps: &[Tap]| self.scratch_count() > taps.len();
        if !slides {
            return None;
        }
        if fits(&nest.taps) {
            return Some(vec![&nest.taps]);
        }
        let step = |a: &Tap, b: &Tap| i64::from(b.input) - i64::from(a.input);
        let least = nest
            .taps
            .windows(2)
            .map(|pair| step(&pair[0], &pair[1]))
            .min()?;
        let rows: Vec<&[Tap]> = nest.taps.chunk_by(|a, b| step(a, b) == least).collect();
        rows.iter().all(|row| fits(row)).then_some(rows)
    }
}
