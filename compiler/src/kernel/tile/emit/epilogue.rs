//! The steps between the reduction and the output, on all accumulators, and their store.

use super::Emitter;
use crate::kernel::tile::Step;
use crate::kernel::tile::asm::{Op, Operand, Pointer, VectorAsm};

impl<A: VectorAsm> Emitter<'_, A> {
    pub(super) fn step(&mut self, step: &Step) {
        let widest = self.widest();
        let [s0, s1, s2, s3, s4] = [0, 1, 2, 3, 4].map(|index| self.scratch(index));
        match step {
            Step::AddResidual => self.add_residual(),
            Step::Map(formula) => self.map(formula),
            Step::Max(c) => self.with_constant(Op::Max, c.value()),
            Step::Min(c) => self.with_constant(Op::Min, c.value()),
            Step::Scale(c) => self.with_constant(Op::Mul, c.value()),
            Step::LeakyRelu(alpha) => {
                self.asm.constant(widest, s0, 0.0);
                self.asm.constant(widest, s1, alpha.value());
                self.for_each_acc(|e, lanes, acc| {
                    e.asm.arithmetic(Op::Min, lanes, s2, s0, Operand::Reg(acc));
                    e.asm.arithmetic(Op::Max, lanes, acc, s0, Operand::Reg(acc));
                    e.asm
                        .arithmetic(Op::MulAdd, lanes, acc, s1, Operand::Reg(s2));
                });
            }
            Step::Gate { scale, shift } => {
                for (register, value) in [
                    (s0, scale.value()),
                    (s1, shift.value()),
                    (s2, 0.0),
                    (s3, 1.0),
                ] {
                    self.asm.constant(widest, register, value);
                }
                self.for_each_acc(|e, lanes, acc| {
                    e.asm.arithmetic(Op::Mul, lanes, s4, s0, Operand::Reg(acc));
                    e.asm.arithmetic(Op::Add, lanes, s4, s1, Operand::Reg(s4));
                    e.asm.arithmetic(Op::Max, lanes, s4, s2, Operand::Reg(s4));
                    e.asm.arithmetic(Op::Min, lanes, s4, s3, Operand::Reg(s4));
                    e.asm.arithmetic(Op::Mul, lanes, acc, s4, Operand::Reg(acc));
                });
            }
        }
    }

    /// `acc = constant op acc`: the accumulator is the operand whose NaN wins.
    fn with_constant(&mut self, op: Op, value: f32) {
        let c = self.scratch(0);
        self.asm.constant(self.widest(), c, value);
        self.for_each_acc(|e, lanes, acc| e.asm.arithmetic(op, lanes, acc, c, Operand::Reg(acc)));
    }

    fn add_residual(&mut self) {
        for pixel in 0..self.tile.pixels.len() {
            for (index, column, _) in self.columns() {
                let from = self.output(Pointer::Residual, pixel, column);
                let residual = self.operand(column.span(), from, self.scratch(0));
                let acc = self.acc(pixel, index);
                self.asm
                    .arithmetic(Op::Add, column.lanes, acc, acc, residual);
            }
        }
    }

    pub(super) fn store(&mut self) {
        for pixel in 0..self.tile.pixels.len() {
            for (index, column, _) in self.columns() {
                let to = self.output(Pointer::Output, pixel, column);
                self.asm.store(column.span(), self.acc(pixel, index), to);
            }
        }
    }
}
