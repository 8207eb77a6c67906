//! From a tile to instructions, once for all targets: [`VectorAsm`] is what a target must offer.
//!
//! The emitter owns the schedule (which value sits in which register, which operand is read from memory); a
//! target owns encodings. Accumulator `(p, c)` is register `p * columns + c`; the registers behind the
//! accumulators are scratch.

use super::{Column, ELEMENT, Init, Lanes, Nest, Source, Step, Tile};

/// A vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg(pub usize);

/// A pointer the code addresses memory through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// One of the input base pointers of the [`Frame`].
    Input(usize),
    Weights,
    Output,
    Bias,
    Residual,
}

/// `pointer + offset` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub pointer: Pointer,
    pub offset: i64,
}

/// The second operand of an arithmetic instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Reg(Reg),
    /// A whole vector in memory.
    Memory(Address),
    /// A scalar in memory, the same for every lane; only for targets with [`VectorAsm::EMBEDS_BROADCAST`].
    Broadcast(Address),
}

/// Lane-wise f32 arithmetic `to = a op b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `to = to + a * b`, fused where the target can.
    MulAdd,
    Add,
    Mul,
    /// `if a > b { a } else { b }`: a NaN in `b` wins.
    Max,
    /// `if a < b { a } else { b }`: a NaN in `b` wins.
    Min,
}

/// The part of a vector in memory that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub lanes: Lanes,
    pub valid: u8,
}

impl Span {
    pub fn is_partial(self) -> bool {
        usize::from(self.valid) < self.lanes.count()
    }
}

/// What a target must set up before the first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `Pointer::Input(i)` starts at the input argument plus `bases[i]`.
    pub bases: Vec<i64>,
    /// The deepest loop nest.
    pub depth: usize,
    /// The tile's only partial vector, if any.
    pub partial: Option<Span>,
}

/// A vector assembler: the few instructions a tile is made of.
///
/// Instructions cannot fail one by one; a target remembers the first error and reports it when it finishes.
pub trait VectorAsm {
    /// Whether [`Operand::Broadcast`] is an operand of arithmetic instructions.
    const EMBEDS_BROADCAST: bool;
    /// Most input base pointers.
    const BASES: usize;

    /// Vector registers the emitter may use.
    fn registers(&self) -> usize;
    /// How far a short displacement reaches below and above a base for operands of `bytes`; `None` if displacements cost
    /// the same at any distance.
    fn reach(&self, bytes: i64) -> Option<i64>;

    fn begin(&mut self, frame: &Frame);
    /// Loads the lanes that exist; the others become zero.
    fn load(&mut self, span: Span, to: Reg, from: Address);
    /// Stores the lanes that exist.
    fn store(&mut self, span: Span, from: Reg, to: Address);
    /// Fills a register with one scalar of memory.
    fn broadcast(&mut self, lanes: Lanes, to: Reg, from: Address);
    /// Fills a register with a constant.
    fn constant(&mut self, lanes: Lanes, to: Reg, value: f32);
    fn copy(&mut self, lanes: Lanes, to: Reg, from: Reg);
    fn arithmetic(&mut self, op: Op, lanes: Lanes, to: Reg, a: Reg, b: Operand);
    /// Moves a pointer by a constant.
    fn advance(&mut self, pointer: Pointer, bytes: i64);
    /// Opens the counted loop of this depth; 0 is the innermost.
    fn begin_loop(&mut self, depth: usize, trip: u32);
    fn end_loop(&mut self, depth: usize);
}

/// Emits the whole tile but for the target's prologue and return.
pub fn emit<A: VectorAsm>(tile: &Tile, asm: &mut A) {
    let unit = match tile.source {
        Source::Broadcast => ELEMENT,
        Source::Lanes => tile.columns[0].lanes.bytes(),
    };
    let (bases, base_of) = input_bases(tile, asm.reach(unit), A::BASES);
    let partial = tile
        .columns
        .iter()
        .find(|column| column.is_partial())
        .map(Column::span);
    let depth = tile
        .reduction
        .iter()
        .map(|nest| nest.loops.len())
        .max()
        .unwrap_or(0);
    asm.begin(&Frame {
        bases: bases.clone(),
        depth,
        partial,
    });
    let mut emitter = Emitter {
        tile,
        asm,
        bases,
        base_of,
        at: (0, 0),
    };
    emitter.init();
    for nest in &tile.reduction {
        emitter.nest(nest);
    }
    for &step in &tile.epilogue {
        emitter.step(step);
    }
    emitter.store();
}

/// Chooses input base pointers so that short displacements reach the taps of as many pixels as possible.
/// Returns the bases and the index of each pixel's base.
fn input_bases(tile: &Tile, reach: Option<i64>, limit: usize) -> (Vec<i64>, Vec<usize>) {
    let Some(reach) = reach else {
        return (vec![0], vec![0; tile.pixels.len()]);
    };
    let taps = || {
        tile.reduction
            .iter()
            .flat_map(|nest| nest.taps.iter().map(|&tap| i64::from(tap)))
    };
    let (low, high) = (taps().min().unwrap_or(0), taps().max().unwrap_or(0));
    let mut order: Vec<usize> = (0..tile.pixels.len()).collect();
    order.sort_by_key(|&p| tile.pixels[p].input);
    let mut bases: Vec<i64> = Vec::new();
    let mut base_of = vec![0; tile.pixels.len()];
    for p in order {
        let pixel = i64::from(tile.pixels[p].input);
        let covered = bases.last().is_some_and(|base| pixel + high < base + reach);
        if !covered && bases.len() < limit {
            bases.push(pixel + low + reach);
        }
        base_of[p] = bases.len() - 1;
    }
    (bases, base_of)
}

impl Column {
    fn span(&self) -> Span {
        Span {
            lanes: self.lanes,
            valid: self.valid,
        }
    }
}

struct Emitter<'a, A> {
    tile: &'a Tile,
    asm: &'a mut A,
    bases: Vec<i64>,
    /// The base pointer of each pixel.
    base_of: Vec<usize>,
    /// How far the input and weight pointers have moved from where they started.
    at: (i64, i64),
}

impl<A: VectorAsm> Emitter<'_, A> {
    fn acc(&self, pixel: usize, column: usize) -> Reg {
        Reg(pixel * self.tile.columns.len() + column)
    }

    fn scratch(&self, index: usize) -> Reg {
        Reg(self.tile.pixels.len() * self.tile.columns.len() + index)
    }

    fn scratch_count(&self) -> usize {
        self.asm.registers() - self.scratch(0).0
    }

    /// Columns with their index and their offset among weights and bias.
    fn columns(&self) -> Vec<(usize, Column, i64)> {
        let ends = self.tile.columns.iter().scan(0, |end, column| {
            let start = *end;
            *end += column.lanes.bytes();
            Some(start)
        });
        self.tile
            .columns
            .iter()
            .copied()
            .zip(ends)
            .enumerate()
            .map(|(index, (c, offset))| (index, c, offset))
            .collect()
    }

    fn widest(&self) -> Lanes {
        self.tile
            .columns
            .iter()
            .map(|column| column.lanes)
            .max()
            .unwrap_or(Lanes::Four)
    }

    /// The address of a pixel's input element, `offset` from the pixel's own.
    fn input(&self, pixel: usize, offset: i64) -> Address {
        let base = self.base_of[pixel];
        let offset = i64::from(self.tile.pixels[pixel].input) + offset - self.bases[base];
        Address {
            pointer: Pointer::Input(base),
            offset,
        }
    }

    /// The address of an accumulator in the output, or at the same place in the residual.
    fn output(&self, pointer: Pointer, pixel: usize, column: Column) -> Address {
        Address {
            pointer,
            offset: i64::from(self.tile.pixels[pixel].output) + i64::from(column.output),
        }
    }

    /// `from` as an operand, by way of `scratch` if only part of the vector exists.
    fn operand(&mut self, span: Span, from: Address, scratch: Reg) -> Operand {
        if span.is_partial() {
            self.asm.load(span, scratch, from);
            Operand::Reg(scratch)
        } else {
            Operand::Memory(from)
        }
    }

    fn for_each_acc(&mut self, mut body: impl FnMut(&mut Self, Lanes, Reg)) {
        for pixel in 0..self.tile.pixels.len() {
            for column in 0..self.tile.columns.len() {
                let acc = self.acc(pixel, column);
                body(self, self.tile.columns[column].lanes, acc);
            }
        }
    }

    fn init(&mut self) {
        for (index, column, offset) in self.columns() {
            let first = self.acc(0, index);
            match self.tile.init {
                Init::Bias => self.asm.load(
                    column.span(),
                    first,
                    Address {
                        pointer: Pointer::Bias,
                        offset,
                    },
                ),
                Init::Zero => self.asm.constant(column.lanes, first, 0.0),
                Init::Accumulate => {
                    for pixel in 0..self.tile.pixels.len() {
                        let from = self.output(Pointer::Output, pixel, column);
                        self.asm.load(column.span(), self.acc(pixel, index), from);
                    }
                    continue;
                }
            }
            for pixel in 1..self.tile.pixels.len() {
                self.asm.copy(column.lanes, self.acc(pixel, index), first);
            }
        }
    }

    /// Moves the input and weight pointers to these offsets from their start.
    fn move_to(&mut self, input: i64, weights: i64) {
        for base in 0..self.bases.len() {
            self.asm.advance(Pointer::Input(base), input - self.at.0);
        }
        self.asm.advance(Pointer::Weights, weights - self.at.1);
        self.at = (input, weights);
    }

    fn nest(&mut self, nest: &Nest) {
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
        for (index, &tap) in nest.taps.iter().enumerate() {
            let row = index as i64 * i64::from(nest.row);
            match self.tile.source {
                Source::Broadcast => self.broadcast_tap(i64::from(tap), row),
                Source::Lanes => self.lanes_tap(i64::from(tap), row),
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

    fn step(&mut self, step: Step) {
        let widest = self.widest();
        let [s0, s1, s2, s3, s4] = [0, 1, 2, 3, 4].map(|index| self.scratch(index));
        match step {
            Step::AddResidual => self.add_residual(),
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

    fn store(&mut self) {
        for pixel in 0..self.tile.pixels.len() {
            for (index, column, _) in self.columns() {
                let to = self.output(Pointer::Output, pixel, column);
                self.asm.store(column.span(), self.acc(pixel, index), to);
            }
        }
    }
}
