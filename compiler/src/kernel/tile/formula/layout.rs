//! The layout of a formula over slots: which value sits where, and in which form its instructions run.
//!
//! A value's slot is free again after its last use. Constants have no slot: they are operands from a table, or are loaded for the
//! one instruction that wants a register.

use super::{Compare, Formula, Inst, Val};
use crate::kernel::tile::asm::Op;
use std::collections::BTreeSet;

/// A formula laid out.
pub struct Layout {
    pub lines: Vec<Line>,
    pub constants: Vec<f32>,
    /// Slots beside the accumulator's.
    pub scratch: usize,
}

/// An instruction between slots; slot 0 is the accumulator.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    Arithmetic(Op, usize, usize, Place),
    Constant(usize, usize),
    Copy(usize, usize),
    Residual(usize),
    Sqrt(usize, usize),
    Scale {
        p: usize,
        n: usize,
        spare: usize,
    },
    Select {
        to: usize,
        compare: Compare,
        x: usize,
        y: Place,
        a: Place,
        b: usize,
        spare: usize,
    },
}

/// Where an operand is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Slot(usize),
    /// An entry of the table.
    Constant(usize),
}

impl Layout {
    pub fn of(formula: &Formula) -> Layout {
        let mut last: Vec<usize> = (0..formula.code.len()).collect();
        for (at, inst) in formula.code.iter().enumerate() {
            for v in inst.operands() {
                last[usize::from(v)] = at;
            }
        }
        let mut allocator = Allocator {
            layout: Layout {
                lines: Vec::new(),
                constants: Vec::new(),
                scratch: 0,
            },
            last,
            places: Vec::new(),
            // The accumulator's slot is free where nothing reads it.
            free: BTreeSet::new(),
            held: Vec::new(),
            slots: 1,
        };
        for (at, inst) in formula.code.iter().enumerate() {
            let place = allocator.instruction(at, inst);
            allocator.places.push(place);
        }
        match allocator.places.last() {
            Some(&Place::Slot(slot)) if slot > 0 => allocator.line(Line::Copy(0, slot)),
            Some(&Place::Constant(index)) => allocator.line(Line::Constant(0, index)),
            _ => {}
        }
        allocator.layout.scratch = allocator.slots - 1;
        allocator.layout
    }
}

struct Allocator {
    layout: Layout,
    /// The last instruction that reads each value.
    last: Vec<usize>,
    /// Where each value so far is found.
    places: Vec<Place>,
    free: BTreeSet<usize>,
    /// Slots held for the current instruction only.
    held: Vec<usize>,
    /// Slots in use at most, the accumulator's included.
    slots: usize,
}

impl Allocator {
    fn line(&mut self, line: Line) {
        self.layout.lines.push(line);
    }

    fn take(&mut self) -> usize {
        self.free.pop_first().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    /// A slot for the current instruction only.
    fn hold(&mut self) -> usize {
        let slot = self.take();
        self.held.push(slot);
        slot
    }

    fn place(&self, v: Val) -> Place {
        self.places[usize::from(v)]
    }

    fn is_constant(&self, v: Val) -> bool {
        matches!(self.place(v), Place::Constant(_))
    }

    /// The value in a slot, loaded if it is a constant.
    fn slot(&mut self, v: Val) -> usize {
        match self.place(v) {
            Place::Slot(slot) => slot,
            Place::Constant(index) => {
                let slot = self.hold();
                self.line(Line::Constant(slot, index));
                slot
            }
        }
    }

    /// The slot of a value whose last use is here.
    fn dying(&self, at: usize, v: Val) -> Option<usize> {
        match self.place(v) {
            Place::Slot(slot) if self.last[usize::from(v)] == at => Some(slot),
            _ => None,
        }
    }

    /// Frees what dies here and what was held, but for `kept`.
    fn release(&mut self, at: usize, values: &[Val], kept: Option<usize>) {
        let dying = values.iter().filter_map(|&v| self.dying(at, v));
        let freed: Vec<usize> = dying.chain(self.held.iter().copied()).collect();
        self.held.clear();
        self.free
            .extend(freed.into_iter().filter(|slot| Some(*slot) != kept));
    }

    /// Emits one instruction; answers where its value is.
    fn instruction(&mut self, at: usize, inst: &Inst) -> Place {
        let operands = inst.operands();
        let to = match *inst {
            Inst::Accumulator => return Place::Slot(0),
            Inst::Constant(c) => {
                let bits = c.value().to_bits();
                let known = self
                    .layout
                    .constants
                    .iter()
                    .position(|k| k.to_bits() == bits);
                return Place::Constant(known.unwrap_or_else(|| {
                    self.layout.constants.push(c.value());
                    self.layout.constants.len() - 1
                }));
            }
            Inst::Residual => {
                let to = self.take();
                self.line(Line::Residual(to));
                to
            }
            Inst::Sqrt(a) => {
                let from = self.slot(a);
                self.release(at, &operands, None);
                let to = self.take();
                self.line(Line::Sqrt(to, from));
                to
            }
            Inst::Binary(op, a, b) => {
                let swapped = op.commutes() && self.is_constant(a);
                let (a, b) = if swapped { (b, a) } else { (a, b) };
                let (a, b) = (self.slot(a), self.place(b));
                self.release(at, &operands, None);
                let to = self.take();
                self.line(Line::Arithmetic(op.into(), to, a, b));
                to
            }
            Inst::MulAdd(a, b, c) => self.mul_add(at, [a, b, c]),
            Inst::Scale(p, n) => {
                let [p_slot, n_slot] = [p, n].map(|v| self.own(at, v));
                let spare = self.hold();
                self.line(Line::Scale {
                    p: p_slot,
                    n: n_slot,
                    spare,
                });
                self.held.extend([n_slot]);
                self.release(at, &operands, Some(p_slot));
                p_slot
            }
            Inst::Select(compare, [x, y, a, b]) => {
                let (x, b) = (self.slot(x), self.slot(b));
                let (y, a) = (self.place(y), self.place(a));
                let spare = self.hold();
                self.release(at, &operands, None);
                // The spare register is written first, so it is not the result's unless nothing else is.
                let to = self.take();
                self.line(Line::Select {
                    to,
                    compare,
                    x,
                    y,
                    a,
                    b,
                    spare,
                });
                to
            }
        };
        Place::Slot(to)
    }

    /// A slot whose value may be overwritten: the value's own if it dies here, else a copy.
    fn own(&mut self, at: usize, v: Val) -> usize {
        if let Some(slot) = self.dying(at, v) {
            return slot;
        }
        let to = self.take();
        match self.place(v) {
            Place::Slot(from) => self.line(Line::Copy(to, from)),
            Place::Constant(index) => self.line(Line::Constant(to, index)),
        }
        to
    }

    /// `a * b + c` in the place of `c`, or of a factor, or in a new slot; one operand may come from the table.
    fn mul_add(&mut self, at: usize, [a, b, c]: [Val; 3]) -> usize {
        let (a, b) = if self.is_constant(a) { (b, a) } else { (a, b) };
        let factor = [(a, b), (b, a)].into_iter().find(|&(this, other)| {
            this != other && this != c && self.dying(at, this).is_some() && !self.is_constant(other)
        });
        let own_sum = c != a && c != b && self.dying(at, c).is_some();
        let to = match factor {
            Some((this, other)) if !own_sum => {
                let (to, other) = (self.slot(this), self.slot(other));
                let c = self.place(c);
                self.line(Line::Arithmetic(Op::MulThenAdd, to, other, c));
                to
            }
            _ => {
                let to = self.own_sum(at, c, own_sum);
                let (a, b) = (self.slot(a), self.place(b));
                self.line(Line::Arithmetic(Op::MulAdd, to, a, b));
                to
            }
        };
        self.release(at, &[a, b, c], Some(to));
        to
    }

    /// The slot in which a sum grows; only an addend that is no factor may be overwritten.
    fn own_sum(&mut self, at: usize, c: Val, overwrite: bool) -> usize {
        if overwrite {
            return self.own(at, c);
        }
        let to = self.take();
        match self.place(c) {
            Place::Slot(from) => self.line(Line::Copy(to, from)),
            Place::Constant(index) => self.line(Line::Constant(to, index)),
        }
        to
    }
}
