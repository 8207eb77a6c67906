//! Emission of unpools: a tournament of a window's cells, then a comparison of the winner's number with each.

use super::Emit;
use crate::kernel::tile::asm::{Address, Frame, Op, Operand, Pointer, Reg, Selection, VectorAsm};
use crate::kernel::tile::formula::Compare;
use crate::kernel::tile::unpool::Unpool;
use crate::kernel::tile::{Lanes, Mask};

/// Loop depths: vectors of a channel block, windows.
const HALVES: usize = 1;
const WINDOWS: usize = 0;

/// What the registers hold; `OUT` is free before a result is made.
const BEST: Reg = Reg(0);
const WINNER: Reg = Reg(1);
const VALUE: Reg = Reg(2);
const GRADIENT: Reg = Reg(3);
const ZERO: Reg = Reg(4);
const SPARE: Reg = Reg(5);
const OUT: Reg = Reg(6);

impl Emit for Unpool {
    fn masks(&self) -> Vec<Mask> {
        Vec::new()
    }

    fn emit<A: VectorAsm>(&self, asm: &mut A) {
        let lanes = A::WIDEST;
        asm.begin(&Frame {
            bases: vec![0],
            depth: 2,
            masks: Vec::new(),
            stack: 0,
        });
        let numbers: Vec<f32> = (0..self.cells.len()).map(|k| k as f32).collect();
        asm.table(&numbers);
        asm.table_entry(lanes, ZERO, 0);
        let halves = Lanes::Sixteen.count() / lanes.count();
        if halves > 1 {
            asm.begin_loop(HALVES, halves as u32);
        }
        if self.windows > 1 {
            asm.begin_loop(WINDOWS, self.windows);
        }
        self.window(asm, lanes);
        let next = self.next.map(i64::from);
        if self.windows > 1 {
            advance(asm, next);
            asm.end_loop(WINDOWS);
        }
        if halves > 1 {
            let walked = if self.windows > 1 { self.windows } else { 0 };
            advance(asm, next.map(|n| lanes.bytes() - i64::from(walked) * n));
            asm.end_loop(HALVES);
        }
    }
}

/// Moves the pointers of `x`, `dy` and `dx`.
fn advance<A: VectorAsm>(asm: &mut A, [x, dy, dx]: [i64; 3]) {
    asm.advance(Pointer::Input(0), x);
    asm.advance(Pointer::Weights, dy);
    asm.advance(Pointer::Output, dx);
}

impl Unpool {
    fn window<A: VectorAsm>(&self, asm: &mut A, lanes: Lanes) {
        let x = |k: usize| Address {
            pointer: Pointer::Input(0),
            offset: self.cells[k].x.into(),
        };
        asm.load(lanes.span(), BEST, x(0));
        asm.copy(lanes, WINNER, ZERO);
        for k in 1..self.cells.len() {
            asm.load(lanes.span(), VALUE, x(k));
            let exceeds = Selection {
                compare: Compare::Less,
                x: BEST,
                y: Operand::Reg(VALUE),
                a: Operand::Constant(k),
                b: WINNER,
                spare: SPARE,
            };
            asm.select(lanes, WINNER, exceeds);
            asm.arithmetic(Op::Max, lanes, BEST, VALUE, Operand::Reg(BEST));
        }
        let gradient = Address {
            pointer: Pointer::Weights,
            offset: 0,
        };
        asm.load(lanes.span(), GRADIENT, gradient);
        if self.rectified {
            let positive = Selection {
                compare: Compare::Less,
                x: ZERO,
                y: Operand::Reg(BEST),
                a: Operand::Reg(GRADIENT),
                b: ZERO,
                spare: SPARE,
            };
            asm.select(lanes, GRADIENT, positive);
        }
        for (k, cell) in self.cells.iter().enumerate() {
            let wins = Selection {
                compare: Compare::Equal,
                x: WINNER,
                y: Operand::Constant(k),
                a: Operand::Reg(GRADIENT),
                b: ZERO,
                spare: SPARE,
            };
            asm.select(lanes, OUT, wins);
            let to = Address {
                pointer: Pointer::Output,
                offset: cell.dx.into(),
            };
            if self.accumulate {
                asm.arithmetic(Op::Add, lanes, OUT, OUT, Operand::Memory(to));
            }
            asm.store(lanes.span(), OUT, to);
        }
    }
}
