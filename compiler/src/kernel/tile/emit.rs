//! From a tile to instructions, once for all targets.
//!
//! The emitter owns the schedule (which value sits in which register, which operand is read from memory); a
//! target owns encodings. Accumulator `(p, c)` is register `p * columns + c`; the registers behind the
//! accumulators are scratch.

mod epilogue;
mod formula;
mod reduce;
mod transform;
mod unpool;

use super::asm::{Address, Frame, Operand, Pointer, Reg, VectorAsm};
use super::{Column, ELEMENT, Init, Lanes, Mask, Source, Span, Tile};

/// A microkernel that can be emitted for every target.
pub trait Emit {
    /// The masks of its partial vectors.
    fn masks(&self) -> Vec<Mask>;
    /// Emits everything but the target's prologue and return.
    fn emit<A: VectorAsm>(&self, asm: &mut A);
}

impl Emit for Tile {
    fn masks(&self) -> Vec<Mask> {
        Tile::masks(self)
    }

    fn emit<A: VectorAsm>(&self, asm: &mut A) {
        emit_tile(self, asm);
    }
}

fn emit_tile<A: VectorAsm>(tile: &Tile, asm: &mut A) {
    let unit = match tile.source {
        Source::Broadcast => ELEMENT,
        Source::Lanes | Source::Pool(_) => tile.columns[0].lanes.bytes(),
    };
    let (bases, base_of) = input_bases(tile, asm.reach(unit), A::BASES);
    let depth = tile
        .reduction
        .iter()
        .map(|nest| nest.loops.len())
        .max()
        .unwrap_or(0);
    asm.begin(&Frame {
        bases: bases.clone(),
        depth,
        masks: tile.masks(),
        stack: formula::stack(tile, asm.epilogue_registers()),
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
    emitter.finish();
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
            .flat_map(|nest| nest.taps.iter().map(|tap| i64::from(tap.input)))
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

struct Emitter<'a, A> {
    tile: &'a Tile,
    asm: &'a mut A,
    bases: Vec<i64>,
    /// The base pointer of each pixel.
    base_of: Vec<usize>,
    /// How far the input and weight pointers have moved from where they started.
    at: (i64, i64),
}

impl<'a, A: VectorAsm> Emitter<'a, A> {
    /// For a tile whose accumulators are computed already.
    fn without_input(tile: &'a Tile, asm: &'a mut A) -> Self {
        Emitter {
            tile,
            asm,
            bases: Vec::new(),
            base_of: Vec::new(),
            at: (0, 0),
        }
    }

    /// The epilogue and the store.
    fn finish(&mut self) {
        for step in &self.tile.epilogue {
            self.step(step);
        }
        self.store();
    }

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
            for pixel in 0..self.tile.pixels.len() {
                let (acc, first) = (self.acc(pixel, index), self.acc(0, index));
                let bias = |offset| Address {
                    pointer: Pointer::Bias,
                    offset,
                };
                match self.tile.init {
                    Init::Bias | Init::Zero | Init::Lowest if pixel > 0 => {
                        self.asm.copy(column.lanes, acc, first)
                    }
                    Init::Bias => self.asm.load(column.span(), acc, bias(offset)),
                    Init::PixelBias => {
                        self.asm
                            .broadcast(column.lanes, acc, bias(pixel as i64 * ELEMENT));
                    }
                    Init::Zero => self.asm.constant(column.lanes, acc, 0.0),
                    Init::Lowest => {
                        self.asm.constant(column.lanes, acc, f32::NEG_INFINITY);
                    }
                    Init::Accumulate => {
                        let from = self.output(Pointer::Output, pixel, column);
                        self.asm.load(column.span(), acc, from);
                    }
                }
            }
        }
    }
}
