//! What the two x86-64 targets share: pointers, loops, prologue and return. A target is a table of encodings.
//!
//! Register use: arguments stay in rdi (input), rsi (weights), rdx (output), rcx (bias), r8 (residual); further
//! input bases and loop counters take the others; rax is scratch for constants.

use super::asm::{Address, Frame, Op, Operand, Pointer, Reg, VectorAsm};
use super::emit::Emit;
use super::{Lanes, Mask, Span, TileError};
use iced_x86::code_asm::{CodeAssembler, CodeLabel};
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
    Arithmetic(Op),
}

/// How a target encodes vector instructions.
pub trait Encoding {
    const WIDEST: Lanes;
    const EMBEDS_BROADCAST: bool;

    /// Vector registers left to a tile.
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
}

/// Assembles a microkernel that has been checked.
pub fn assemble<E: Encoding>(kernel: &impl Emit) -> Result<Vec<u8>, TileError> {
    let mut asm = X86::<E> {
        asm: CodeAssembler::new(64).map_err(encode)?,
        error: None,
        masks: kernel.masks(),
        saved: Vec::new(),
        heads: [None; COUNTERS.len()],
        encoding: PhantomData,
    };
    kernel.emit(&mut asm);
    asm.finish()
}

struct X86<E> {
    asm: CodeAssembler,
    error: Option<TileError>,
    masks: Vec<Mask>,
    /// Callee-saved registers pushed by the prologue.
    saved: Vec<Register>,
    /// The first instruction of each open loop.
    heads: [Option<CodeLabel>; COUNTERS.len()],
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

    fn finish(mut self) -> Result<Vec<u8>, TileError> {
        for register in std::mem::take(&mut self.saved).into_iter().rev() {
            self.add(Instruction::with1(Code::Pop_r64, register));
        }
        self.add(Ok(Instruction::with(Code::VEX_Vzeroupper)));
        self.add(Ok(Instruction::with(Code::Retnq)));
        match self.error {
            Some(error) => Err(error),
            None => self.asm.assemble(0).map_err(encode),
        }
    }
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
        let instruction = match b {
            Operand::Reg(b) => Instruction::with3(code, to, a, E::register(lanes, b.0)),
            Operand::Memory(from) => Instruction::with3(code, to, a, self.memory(from)),
            Operand::Broadcast(from) => {
                let mut memory = self.memory(from);
                memory.is_broadcast = true;
                Instruction::with3(code, to, a, memory)
            }
        };
        self.add(instruction);
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
