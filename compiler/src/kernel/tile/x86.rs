//! What the two x86-64 targets share: pointers, loops, prologue and return. A target is a table of encodings.
//!
//! Register use: arguments stay in rdi (input), rsi (weights), rdx (output), rcx (bias), r8 (residual); further
//! input bases and loop counters take the others; rax is scratch for constants and points at the table of a formula, which lies
//! behind the code.

use super::asm::{Address, Frame, Op, Operand, Pointer, Reg, Selection, VectorAsm};
use super::emit::Emit;
use super::formula::Compare;
use super::{ELEMENT, Lanes, Mask, Span, TileError};
use iced_x86::code_asm::{CodeAssembler, CodeLabel, ptr, rax};
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};
use std::marker::PhantomData;

const BASES: [Register; 7] = {
    use Register::*;
    [RDI, R9, R10, R11, R12, R13, R14]
};
const COUNTERS: [Register; 3] = [Register::RBX, Register::RBP, Register::R15];

/// The rows of an encoding table.
#[derive(Clone, Copy, Debug)]
pub enum Row {
    Load,
    Store,
    Broadcast,
    Copy,
    Zero,
    SquareRoot,
    Arithmetic(Op),
}

/// How a target encodes vector instructions.
pub trait Encoding {
    const WIDEST: Lanes;
    const EMBEDS_BROADCAST: bool;

    /// Vector registers left to a tile.
    /// Bytes of a table's entry: one element where it is broadcast by its user.
    const ENTRY: usize;

    fn registers(masks: usize) -> usize;
    /// See [`VectorAsm::reach`].
    fn reach(bytes: i64) -> Option<i64>;
    /// The register `index` seen as a vector of `lanes`.
    fn register(lanes: Lanes, index: usize) -> Register;
    /// The instruction of a row; `Code::INVALID` if the target has no such vectors.
    fn code(row: Row, lanes: Lanes) -> Code;
    /// Instructions that fill a register from a constant, by way of rax.
    fn constant(lanes: Lanes, to: usize, value: f32) -> Result<Vec<Instruction>, IcedError>;
    /// Instructions that set up mask number `index`, by way of rax.
    fn mask(index: usize, mask: Mask) -> Result<Vec<Instruction>, IcedError>;
    /// Loads the masked lanes and zeroes the others.
    fn masked_load(
        mask: usize,
        lanes: Lanes,
        to: Register,
        from: MemoryOperand,
    ) -> Result<Instruction, IcedError>;
    fn masked_store(
        mask: usize,
        lanes: Lanes,
        from: Register,
        to: MemoryOperand,
    ) -> Result<Instruction, IcedError>;
    /// Instructions of a [`Selection`] between registers or memory operands.
    fn select(lanes: Lanes, to: Register, choice: Choice) -> Result<Vec<Instruction>, IcedError>;
    /// Instructions of [`VectorAsm::scale`].
    fn scale(
        lanes: Lanes,
        p: Register,
        n: Register,
        spare: Register,
    ) -> Result<Vec<Instruction>, IcedError>;
}

/// A [`Selection`] in registers and memory operands.
pub struct Choice {
    pub compare: Compare,
    pub x: Register,
    pub y: Source,
    pub a: Source,
    pub b: Register,
    pub spare: Register,
}

/// A last operand.
#[derive(Clone, Copy)]
pub enum Source {
    Register(Register),
    Memory(MemoryOperand),
}

impl Compare {
    /// The predicate of `vcmpps`: ordered and quiet, but for the unordered inequality.
    pub fn predicate(self) -> u32 {
        match self {
            Compare::Less => 17,
            Compare::LessOrEqual => 18,
            Compare::Equal => 0,
            Compare::NotEqual => 4,
        }
    }
}

/// `code to, a, b` with `b` in a register or in memory.
pub fn three(code: Code, to: Register, a: Register, b: Source) -> Result<Instruction, IcedError> {
    match b {
        Source::Register(b) => Instruction::with3(code, to, a, b),
        Source::Memory(b) => Instruction::with3(code, to, a, b),
    }
}

/// Assembles a microkernel that has been checked.
pub fn assemble<E: Encoding>(kernel: &impl Emit) -> Result<Vec<u8>, TileError> {
    let draft = assemble_padded::<E>(kernel, 0)?;
    match draft.table_at % E::ENTRY {
        0 => Ok(draft.code),
        // Tables lie behind the code, whose length is known now.
        beyond => assemble_padded::<E>(kernel, E::ENTRY - beyond).map(|last| last.code),
    }
}

/// Code and where its tables begin.
struct Assembled {
    code: Vec<u8>,
    table_at: usize,
}

fn assemble_padded<E: Encoding>(
    kernel: &impl Emit,
    padding: usize,
) -> Result<Assembled, TileError> {
    let mut asm = X86::<E> {
        asm: CodeAssembler::new(64).map_err(encode)?,
        error: None,
        masks: kernel.masks(),
        saved: Vec::new(),
        stack: 0,
        heads: [None; COUNTERS.len()],
        tables: Vec::new(),
        encoding: PhantomData,
    };
    kernel.emit(&mut asm);
    asm.finish(padding)
}

struct X86<E> {
    asm: CodeAssembler,
    error: Option<TileError>,
    masks: Vec<Mask>,
    /// Callee-saved registers pushed by the prologue.
    saved: Vec<Register>,
    /// Bytes reserved on the stack.
    stack: i32,
    /// The first instruction of each open loop.
    heads: [Option<CodeLabel>; COUNTERS.len()],
    /// Tables of formulas, and where they will lie.
    tables: Vec<(CodeLabel, Vec<f32>)>,
    encoding: PhantomData<E>,
}

fn encode(error: IcedError) -> TileError {
    TileError::Encode(error.to_string())
}

fn pointer(pointer: Pointer) -> Register {
    match pointer {
        Pointer::Input(base) => BASES[base],
        Pointer::Weights => Register::RSI,
        Pointer::Output => Register::RDX,
        Pointer::Bias => Register::RCX,
        Pointer::Residual => Register::R8,
        Pointer::Stack => Register::RSP,
    }
}

impl<E: Encoding> X86<E> {
    /// Remembers the first error.
    fn note(&mut self, result: Result<(), TileError>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn add(&mut self, instruction: Result<Instruction, IcedError>) {
        let result = instruction.and_then(|instruction| self.asm.add_instruction(instruction));
        self.note(result.map_err(encode));
    }

    fn add_all(&mut self, instructions: Result<Vec<Instruction>, IcedError>) {
        match instructions {
            Ok(instructions) => instructions
                .into_iter()
                .for_each(|instruction| self.add(Ok(instruction))),
            Err(error) => self.note(Err(encode(error))),
        }
    }

    /// An offset as a 32-bit displacement.
    fn displacement(&mut self, offset: i64) -> i32 {
        i32::try_from(offset).unwrap_or_else(|_| {
            self.note(Err(TileError::Offset { offset }));
            0
        })
    }

    fn memory(&mut self, address: Address) -> MemoryOperand {
        let displacement = self.displacement(address.offset);
        MemoryOperand::with_base_displ(pointer(address.pointer), displacement.into())
    }

    /// The number of a partial vector's mask.
    fn mask(&self, span: Span) -> Option<usize> {
        self.masks
            .iter()
            .position(|&mask| span.is_partial() && mask == span.mask)
    }

    /// An operand in a register or in memory.
    fn source(&mut self, lanes: Lanes, operand: Operand) -> Source {
        Source::Memory(match operand {
            Operand::Reg(register) => return Source::Register(E::register(lanes, register.0)),
            Operand::Memory(from) => self.memory(from),
            Operand::Broadcast(from) => broadcast(self.memory(from)),
            Operand::Constant(index) if E::EMBEDS_BROADCAST => broadcast(entry::<E>(index)),
            Operand::Constant(index) => entry::<E>(index),
        })
    }

    fn finish(mut self, padding: usize) -> Result<Assembled, TileError> {
        if self.stack > 0 {
            self.add(Instruction::with2(
                Code::Add_rm64_imm32,
                Register::RSP,
                self.stack,
            ));
        }
        for register in std::mem::take(&mut self.saved).into_iter().rev() {
            self.add(Instruction::with1(Code::Pop_r64, register));
        }
        self.add(Ok(Instruction::with(Code::VEX_Vzeroupper)));
        self.add(Ok(Instruction::with(Code::Retnq)));
        let tables = self.place_tables(padding).map_err(encode);
        self.note(tables);
        if let Some(error) = self.error {
            return Err(error);
        }
        let code = self.asm.assemble(0).map_err(encode)?;
        let entries: usize = self.tables.iter().map(|(_, table)| table.len()).sum();
        let table_at = code.len() - entries * E::ENTRY;
        Ok(Assembled { code, table_at })
    }

    fn place_tables(&mut self, padding: usize) -> Result<(), IcedError> {
        if padding > 0 {
            self.asm.db(&vec![0; padding])?;
        }
        for (label, constants) in &mut self.tables {
            self.asm.set_label(label)?;
            for constant in constants {
                let copies = E::ENTRY / ELEMENT as usize;
                self.asm.dd_f32(&vec![*constant; copies])?;
            }
        }
        Ok(())
    }
}

fn broadcast(mut memory: MemoryOperand) -> MemoryOperand {
    memory.is_broadcast = true;
    memory
}

/// An entry of the table that rax points at.
fn entry<E: Encoding>(index: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RAX, (index * E::ENTRY) as i64)
}

impl<E: Encoding> VectorAsm for X86<E> {
    const WIDEST: Lanes = E::WIDEST;
    const EMBEDS_BROADCAST: bool = E::EMBEDS_BROADCAST;
    const BASES: usize = BASES.len();

    fn registers(&self) -> usize {
        E::registers(self.masks.len())
    }

    fn reach(&self, bytes: i64) -> Option<i64> {
        E::reach(bytes)
    }

    fn begin(&mut self, frame: &Frame) {
        let used = BASES
            .iter()
            .take(frame.bases.len())
            .chain(COUNTERS.iter().take(frame.depth));
        let callee_saved =
            |r: &&Register| matches!(r, Register::RBX | Register::RBP) || **r >= Register::R12;
        self.saved = used.filter(callee_saved).copied().collect();
        for register in self.saved.clone() {
            self.add(Instruction::with1(Code::Push_r64, register));
        }
        self.stack = self.displacement(frame.stack as i64);
        if self.stack > 0 {
            self.add(Instruction::with2(
                Code::Sub_rm64_imm32,
                Register::RSP,
                self.stack,
            ));
        }
        // rdi is the first base: the others are derived from it before it moves.
        let moved = |&(index, &base): &(usize, &i64)| index > 0 || base != 0;
        for (index, &base) in frame.bases.iter().enumerate().rev().filter(moved) {
            let from = self.memory(Address {
                pointer: Pointer::Input(0),
                offset: base,
            });
            self.add(Instruction::with2(Code::Lea_r64_m, BASES[index], from));
        }
        for (index, &mask) in frame.masks.iter().enumerate() {
            self.add_all(E::mask(index, mask));
        }
    }

    fn load(&mut self, span: Span, to: Reg, from: Address) {
        let (to, from) = (E::register(span.lanes, to.0), self.memory(from));
        self.add(match self.mask(span) {
            Some(mask) => E::masked_load(mask, span.lanes, to, from),
            None => Instruction::with2(E::code(Row::Load, span.lanes), to, from),
        });
    }

    fn prefetch(&mut self, from: Address) {
        let from = self.memory(from);
        self.add(Instruction::with1(Code::Prefetcht0_m8, from));
    }

    fn store(&mut self, span: Span, from: Reg, to: Address) {
        let (from, to) = (E::register(span.lanes, from.0), self.memory(to));
        self.add(match self.mask(span) {
            Some(mask) => E::masked_store(mask, span.lanes, from, to),
            None => Instruction::with2(E::code(Row::Store, span.lanes), to, from),
        });
    }

    fn broadcast(&mut self, lanes: Lanes, to: Reg, from: Address) {
        let from = self.memory(from);
        self.add(Instruction::with2(
            E::code(Row::Broadcast, lanes),
            E::register(lanes, to.0),
            from,
        ));
    }

    fn constant(&mut self, lanes: Lanes, to: Reg, value: f32) {
        if value.to_bits() == 0 {
            let register = E::register(lanes, to.0);
            self.add(Instruction::with3(
                E::code(Row::Zero, lanes),
                register,
                register,
                register,
            ));
        } else {
            self.add_all(E::constant(lanes, to.0, value));
        }
    }

    fn copy(&mut self, lanes: Lanes, to: Reg, from: Reg) {
        let (to, from) = (E::register(lanes, to.0), E::register(lanes, from.0));
        self.add(Instruction::with2(E::code(Row::Copy, lanes), to, from));
    }

    fn arithmetic(&mut self, op: Op, lanes: Lanes, to: Reg, a: Reg, b: Operand) {
        let code = E::code(Row::Arithmetic(op), lanes);
        let (to, a) = (E::register(lanes, to.0), E::register(lanes, a.0));
        let b = self.source(lanes, b);
        self.add(three(code, to, a, b));
    }

    fn table(&mut self, constants: &[f32]) {
        if constants.is_empty() {
            return;
        }
        let label = self.asm.create_label();
        let loaded = self.asm.lea(rax, ptr(label)).map_err(encode);
        self.note(loaded);
        self.tables.push((label, constants.to_vec()));
    }

    fn table_entry(&mut self, lanes: Lanes, to: Reg, index: usize) {
        self.add(Instruction::with2(
            E::code(Row::Broadcast, lanes),
            E::register(lanes, to.0),
            entry::<E>(index),
        ));
    }

    fn square_root(&mut self, lanes: Lanes, to: Reg, from: Reg) {
        let (to, from) = (E::register(lanes, to.0), E::register(lanes, from.0));
        self.add(Instruction::with2(
            E::code(Row::SquareRoot, lanes),
            to,
            from,
        ));
    }

    fn select(&mut self, lanes: Lanes, to: Reg, selection: Selection) {
        let register = |register: Reg| E::register(lanes, register.0);
        let choice = Choice {
            compare: selection.compare,
            x: register(selection.x),
            y: self.source(lanes, selection.y),
            a: self.source(lanes, selection.a),
            b: register(selection.b),
            spare: register(selection.spare),
        };
        self.add_all(E::select(lanes, register(to), choice));
    }

    fn scale(&mut self, lanes: Lanes, p: Reg, n: Reg, spare: Reg) {
        let [p, n, spare] = [p, n, spare].map(|register| E::register(lanes, register.0));
        self.add_all(E::scale(lanes, p, n, spare));
    }

    fn advance(&mut self, to: Pointer, bytes: i64) {
        if bytes != 0 {
            let short = i8::try_from(bytes).is_ok();
            let code = if short {
                Code::Add_rm64_imm8
            } else {
                Code::Add_rm64_imm32
            };
            let bytes = self.displacement(bytes);
            self.add(Instruction::with2(code, pointer(to), bytes));
        }
    }

    fn begin_loop(&mut self, depth: usize, trip: u32) {
        let trip = self.displacement(trip.into());
        self.add(Instruction::with2(
            Code::Mov_rm64_imm32,
            COUNTERS[depth],
            trip,
        ));
        let mut head = self.asm.create_label();
        let placed = self.asm.set_label(&mut head).map_err(encode);
        self.note(placed);
        self.heads[depth] = Some(head);
    }

    fn end_loop(&mut self, depth: usize) {
        self.add(Instruction::with1(Code::Dec_rm64, COUNTERS[depth]));
        if let Some(head) = self.heads[depth].take() {
            let jump = self.asm.jne(head).map_err(encode);
            self.note(jump);
        }
    }
}
