//! Emission of transforms: two passes of a linear map, and the end of every tile.

use super::{Emit, Emitter};
use crate::kernel::tile::asm::{Address, Frame, Op, Operand, Pointer, Reg, VectorAsm};
use crate::kernel::tile::transform::{Between, LinearMap, Transform};
use crate::kernel::tile::{Column, Init, Lanes, Mask, Pixel, Source, Tile};

/// Loop depths: vectors of a channel block, patches.
const HALVES: usize = 1;
const PATCHES: usize = 0;

impl Emit for Transform {
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
        let halves = Lanes::Sixteen.count() / lanes.count();
        if halves > 1 {
            asm.begin_loop(HALVES, halves as u32);
        }
        if self.patches > 1 {
            asm.begin_loop(PATCHES, self.patches);
        }
        self.columns_pass(asm, lanes);
        self.rows_pass(asm, lanes);
        let (input, output) = (i64::from(self.input.next), i64::from(self.output.next));
        if self.patches > 1 {
            self.advance(asm, input, output, 0);
            asm.end_loop(PATCHES);
        }
        if halves > 1 {
            let walked = if self.patches > 1 {
                i64::from(self.patches)
            } else {
                0
            };
            let step = lanes.bytes();
            self.advance(asm, step - walked * input, step - walked * output, step);
            asm.end_loop(HALVES);
        }
    }
}

impl Transform {
    fn advance<A: VectorAsm>(&self, asm: &mut A, input: i64, output: i64, bias: i64) {
        asm.advance(Pointer::Input(0), input);
        asm.advance(Pointer::Output, output);
        asm.advance(Pointer::Residual, output);
        asm.advance(Pointer::Bias, bias);
    }

    fn between_at(&self, row: usize, column: usize) -> Address {
        let pointer = match self.between {
            Between::Input => Pointer::Input(0),
            Between::Output => Pointer::Output,
        };
        Address {
            pointer,
            offset: self.between().at(row, column),
        }
    }

    /// Asks for a line of the patch below, as far as it will not have been read by then.
    fn prefetch<A: VectorAsm>(&self, asm: &mut A, line: usize) {
        let (side, pointer, size) = match self.between {
            Between::Output => (&self.input, Pointer::Input(0), self.map.inputs),
            Between::Input => (&self.output, Pointer::Output, self.map.outputs.len()),
        };
        let fresh = (side.next / side.column.max(1)).clamp(0, size as i32) as usize;
        if self.below == 0 || line + fresh < size {
            return;
        }
        for column in 0..fresh {
            asm.prefetch(Address {
                pointer,
                offset: side.at(line, column) + i64::from(self.below),
            });
        }
    }

    /// `between = T X`, column by column.
    fn columns_pass<A: VectorAsm>(&self, asm: &mut A, lanes: Lanes) {
        for j in self.input.columns.clone() {
            if self.between == Between::Output {
                self.prefetch(asm, j);
            }
            let from = |i: usize| {
                let address = Address {
                    pointer: Pointer::Input(0),
                    offset: self.input.at(i, j),
                };
                self.input.rows.contains(&i).then_some(address)
            };
            let mut line = Line::new(&self.map, asm, lanes, 0);
            line.run(from, |asm, lanes, row, value| {
                let to = self.between_at(row, j);
                asm.store(lanes.span(), value, to);
            });
        }
    }

    /// `Y = between Tᵀ`, row by row, each ending as a tile of one row of pixels does.
    fn rows_pass<A: VectorAsm>(&self, asm: &mut A, lanes: Lanes) {
        let columns = self.output.columns.clone();
        for i in self.output.rows.clone() {
            if self.between == Between::Input {
                self.prefetch(asm, i);
            }
            let from = |j: usize| {
                let exists = self.input.columns.contains(&j);
                exists.then(|| self.between_at(i, j))
            };
            let mut line = Line::new(&self.map, asm, lanes, columns.len());
            line.run(from, |asm, lanes, column, value| {
                if columns.contains(&column) {
                    let acc = Reg(column - columns.start);
                    asm.copy(lanes, acc, value);
                }
            });
            self.finish_row(asm, lanes, i);
        }
    }

    fn finish_row<A: VectorAsm>(&self, asm: &mut A, lanes: Lanes, row: usize) {
        let pixel = |column| Pixel {
            input: 0,
            output: self.output.at(row, column) as i32,
        };
        let tile = Tile {
            source: Source::Broadcast,
            pixels: self.output.columns.clone().map(pixel).collect(),
            columns: vec![Column::full(lanes, 0)],
            init: Init::Zero,
            reduction: Vec::new(),
            epilogue: self.epilogue.clone(),
        };
        if self.bias {
            let bias = Reg(tile.pixels.len());
            let from = Address {
                pointer: Pointer::Bias,
                offset: 0,
            };
            asm.load(lanes.span(), bias, from);
            for acc in (0..tile.pixels.len()).map(Reg) {
                asm.arithmetic(Op::Add, lanes, acc, acc, Operand::Reg(bias));
            }
        }
        Emitter::without_input(&tile, asm).finish();
    }
}

/// One application of a linear map to registers.
struct Line<'a, A> {
    map: &'a LinearMap,
    asm: &'a mut A,
    lanes: Lanes,
    scales: Vec<i32>,
    /// The register of each value; `None` for zeros, and before and after the value's life.
    values: Vec<Option<Reg>>,
    free: Vec<Reg>,
    /// The last combination that reads each value; outputs are read behind all of them.
    last_use: Vec<usize>,
}

impl<'a, A: VectorAsm> Line<'a, A> {
    /// Leaves the first `reserved` registers alone.
    fn new(map: &'a LinearMap, asm: &'a mut A, lanes: Lanes, reserved: usize) -> Self {
        let count = map.inputs + map.combinations.len();
        let mut last_use = vec![0; count];
        for (index, c) in map.combinations.iter().enumerate() {
            (last_use[c.a], last_use[c.b]) = (index, index);
        }
        let free = (reserved..asm.registers()).rev().map(Reg).collect();
        Line {
            map,
            asm,
            lanes,
            scales: map.scales(),
            values: vec![None; count],
            free,
            last_use,
        }
    }

    /// Loads the inputs that exist and hands every output to `out` as soon as it is known.
    fn run(
        &mut self,
        from: impl Fn(usize) -> Option<Address>,
        mut out: impl FnMut(&mut A, Lanes, usize, Reg),
    ) {
        for input in 0..self.map.inputs {
            if let Some(address) = from(input) {
                let to = self.take();
                self.asm.load(self.lanes.span(), to, address);
                self.values[input] = Some(to);
            }
        }
        for index in 0..self.map.combinations.len() {
            self.combine(index);
        }
        for (output, &value) in self.map.outputs.iter().enumerate() {
            let register = match self.values[value] {
                Some(register) => register,
                None => {
                    let zero = self.take();
                    self.asm.constant(self.lanes, zero, 0.0);
                    self.free.push(zero);
                    zero
                }
            };
            out(self.asm, self.lanes, output, register);
        }
    }

    fn take(&mut self) -> Reg {
        self.free
            .pop()
            .expect("a map has fewer values than there are registers")
    }

    fn combine(&mut self, index: usize) {
        let c = self.map.combinations[index];
        let value = self.map.inputs + index;
        let (a, b) = (self.values[c.a], self.values[c.b]);
        let result = match (a, b) {
            (None, None) => None,
            (None, Some(b)) => Some(self.moved(c.b, b, index)),
            (Some(a), None) if c.scale == 1 => Some(self.moved(c.a, a, index)),
            (Some(a), None) => {
                let to = self.take();
                match c.scale {
                    -1 => {
                        self.asm.constant(self.lanes, to, 0.0);
                        self.asm
                            .arithmetic(Op::Sub, self.lanes, to, to, Operand::Reg(a));
                    }
                    scale => {
                        let by = self.scale(scale);
                        self.asm.arithmetic(Op::Mul, self.lanes, to, a, by);
                    }
                }
                Some(to)
            }
            (Some(a), Some(b)) => Some(match c.scale {
                1 | -1 => {
                    let to = self.take();
                    let op = if c.scale == 1 { Op::Add } else { Op::Sub };
                    self.asm.arithmetic(op, self.lanes, to, b, Operand::Reg(a));
                    to
                }
                scale => {
                    let to = self.moved(c.b, b, index);
                    let by = self.scale(scale);
                    self.asm.arithmetic(Op::MulAdd, self.lanes, to, a, by);
                    to
                }
            }),
        };
        for operand in [c.a, c.b] {
            if self.dies(operand, index)
                && let Some(register) = self.values[operand].take()
                && Some(register) != result
            {
                self.free.push(register);
            }
        }
        self.values[value] = result;
    }

    /// Whether nothing reads a value after this combination.
    fn dies(&self, value: usize, index: usize) -> bool {
        self.last_use[value] <= index && !self.map.outputs.contains(&value)
    }

    /// The register of a value that is about to be overwritten: its own if it dies, a copy otherwise.
    fn moved(&mut self, value: usize, register: Reg, index: usize) -> Reg {
        if self.dies(value, index) {
            return register;
        }
        let to = self.take();
        self.asm.copy(self.lanes, to, register);
        to
    }

    /// A scale, from the table of constants.
    fn scale(&self, scale: i32) -> Operand {
        let index = self.scales.iter().position(|&s| s == scale).unwrap_or(0);
        Operand::Memory(Address {
            pointer: Pointer::Weights,
            offset: index as i64 * Lanes::Sixteen.bytes(),
        })
    }
}
