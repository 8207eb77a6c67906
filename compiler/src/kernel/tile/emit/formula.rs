//! A formula on every accumulator, one after the other, in the registers behind the accumulators.
//!
//! Slot 0 of the formula's layout is the accumulator, the others are scratch. Where scratch runs short some
//! accumulators wait on the stack for their turn.

use super::Emitter;
use crate::kernel::tile::asm::{Address, Operand, Pointer, Reg, Selection, VectorAsm};
use crate::kernel::tile::formula::layout::{Layout, Line, Place};
use crate::kernel::tile::{Formula, Lanes, Mask, Span, Step, Tile};

/// Bytes of stack the tile's formulas need: every waiting accumulator, and one that makes room while these are computed.
pub(super) fn stack(tile: &Tile, registers: usize) -> usize {
    let accumulators = tile.pixels.len() * tile.columns.len();
    let waiting = |step: &Step| match step {
        Step::Map(formula) => {
            (accumulators + Layout::of(formula).scratch).saturating_sub(registers)
        }
        _ => 0,
    };
    let lanes = tile.columns.iter().map(|column| column.lanes).max();
    match tile.epilogue.iter().map(waiting).max() {
        Some(most) if most > 0 => (most + 1) * lanes.unwrap_or(Lanes::Four).bytes() as usize,
        _ => 0,
    }
}

impl<A: VectorAsm> Emitter<'_, A> {
    pub(super) fn map(&mut self, formula: &Formula) {
        let layout = Layout::of(formula);
        self.asm.table(&layout.constants);
        let places = self.places();
        let all = self.scratch(0).0;
        let waiting = (all + layout.scratch).saturating_sub(self.asm.epilogue_registers());
        let working = all - waiting;
        for (slot, acc) in (working..all).enumerate() {
            self.stack_store(slot, Reg(acc));
        }
        for (acc, place) in places[..working].iter().enumerate() {
            self.formula(&layout, Reg(acc), working, place);
        }
        if waiting > 0 {
            self.stack_store(waiting, Reg(0));
            for (slot, place) in places[working..].iter().enumerate() {
                self.stack_load(slot, Reg(0));
                self.formula(&layout, Reg(0), working, place);
                self.stack_store(slot, Reg(0));
            }
            self.stack_load(waiting, Reg(0));
            for (slot, acc) in (working..all).enumerate() {
                self.stack_load(slot, Reg(acc));
            }
        }
    }

    /// Of every accumulator its vector and its residual.
    fn places(&self) -> Vec<(Span, Address)> {
        (0..self.tile.pixels.len())
            .flat_map(|pixel| {
                self.tile.columns.iter().map(move |&column| {
                    let residual = self.output(Pointer::Residual, pixel, column);
                    (column.span(), residual)
                })
            })
            .collect()
    }

    fn stack_place(&self, slot: usize) -> (Span, Address) {
        let lanes = self.widest();
        let mask = Mask {
            first: 0,
            end: lanes.count() as u8,
        };
        let address = Address {
            pointer: Pointer::Stack,
            offset: slot as i64 * lanes.bytes(),
        };
        (Span { lanes, mask }, address)
    }

    fn stack_store(&mut self, slot: usize, from: Reg) {
        let (span, to) = self.stack_place(slot);
        self.asm.store(span, from, to);
    }

    fn stack_load(&mut self, slot: usize, to: Reg) {
        let (span, from) = self.stack_place(slot);
        self.asm.load(span, to, from);
    }

    /// One accumulator; its scratch registers begin at number `scratch`.
    fn formula(&mut self, layout: &Layout, acc: Reg, scratch: usize, place: &(Span, Address)) {
        let &(span, residual) = place;
        let lanes = span.lanes;
        let register = |slot: usize| match slot.checked_sub(1) {
            None => acc,
            Some(index) => Reg(scratch + index),
        };
        let operand = |place: Place| match place {
            Place::Slot(slot) => Operand::Reg(register(slot)),
            Place::Constant(index) => Operand::Constant(index),
        };
        for &line in &layout.lines {
            match line {
                Line::Arithmetic(op, to, a, b) => {
                    let (to, a) = (register(to), register(a));
                    self.asm.arithmetic(op, lanes, to, a, operand(b));
                }
                Line::Constant(to, index) => self.asm.table_entry(lanes, register(to), index),
                Line::Copy(to, from) => self.asm.copy(lanes, register(to), register(from)),
                Line::Residual(to) => self.asm.load(span, register(to), residual),
                Line::Sqrt(to, from) => self.asm.square_root(lanes, register(to), register(from)),
                Line::Scale { p, n, spare } => {
                    let [p, n, spare] = [p, n, spare].map(register);
                    self.asm.scale(lanes, p, n, spare);
                }
                Line::Select {
                    to,
                    compare,
                    x,
                    y,
                    a,
                    b,
                    spare,
                } => {
                    let selection = Selection {
                        compare,
                        x: register(x),
                        y: operand(y),
                        a: operand(a),
                        b: register(b),
                        spare: register(spare),
                    };
                    self.asm.select(lanes, register(to), selection);
                }
            }
        }
    }
}
