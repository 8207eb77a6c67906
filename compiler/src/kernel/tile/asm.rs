//! The vector assembler: what a target must offer so that a tile can be emitted for it.

use super::formula::{Binary, Compare};
use super::{Lanes, Mask, Span};

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
    /// The room that [`Frame::stack`] asks for.
    Stack,
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
    /// An entry of the current [`VectorAsm::table`], the same for every lane.
    Constant(usize),
}

/// Lane-wise f32 arithmetic `to = a op b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `to = to + a * b`, fused where the target can.
    MulAdd,
    /// `to = to * a + b`, fused where the target can.
    MulThenAdd,
    Add,
    /// `to = a - b`.
    Sub,
    Mul,
    Div,
    /// `if a > b { a } else { b }`: a NaN in `b` wins.
    Max,
    /// `if a < b { a } else { b }`: a NaN in `b` wins.
    Min,
    And,
    Or,
    Xor,
}

impl From<Binary> for Op {
    fn from(op: Binary) -> Op {
        match op {
            Binary::Add => Op::Add,
            Binary::Sub => Op::Sub,
            Binary::Mul => Op::Mul,
            Binary::Div => Op::Div,
            Binary::Max => Op::Max,
            Binary::Min => Op::Min,
            Binary::And => Op::And,
            Binary::Or => Op::Or,
            Binary::Xor => Op::Xor,
        }
    }
}

/// `to = if x <compare> y { a } else { b }`, lane by lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    pub compare: Compare,
    pub x: Reg,
    pub y: Operand,
    pub a: Operand,
    pub b: Reg,
    /// A register of no value, which may be overwritten before the operands are read.
    pub spare: Reg,
}

/// What a target must set up before the first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `Pointer::Input(i)` starts at the input argument plus `bases[i]`.
    pub bases: Vec<i64>,
    /// The deepest loop nest.
    pub depth: usize,
    /// The masks of the tile's partial vectors.
    pub masks: Vec<Mask>,
    /// Bytes of [`Pointer::Stack`].
    pub stack: usize,
}

/// A vector assembler: the few instructions a tile is made of.
///
/// Instructions cannot fail one by one; a target remembers the first error and reports it when it finishes.
pub trait VectorAsm {
    /// The widest vector.
    const WIDEST: Lanes;
    /// Whether [`Operand::Broadcast`] is an operand of arithmetic instructions.
    const EMBEDS_BROADCAST: bool;
    /// Most input base pointers.
    const BASES: usize;

    /// Vector registers the emitter may use.
    fn registers(&self) -> usize;
    /// Vector registers the epilogue may use; more where the target spills by itself.
    fn epilogue_registers(&self) -> usize {
        self.registers()
    }
    /// How far a short displacement reaches below and above a base for operands of `bytes`; `None` if displacements cost
    /// the same at any distance.
    fn reach(&self, bytes: i64) -> Option<i64>;

    fn begin(&mut self, frame: &Frame);
    /// Loads a part of a vector; the other lanes become zero.
    fn load(&mut self, span: Span, to: Reg, from: Address);
    /// Stores a part of a vector.
    fn store(&mut self, span: Span, from: Reg, to: Address);
    /// Fills a register with one scalar of memory.
    fn broadcast(&mut self, lanes: Lanes, to: Reg, from: Address);
    /// Fills a register with a constant.
    fn constant(&mut self, lanes: Lanes, to: Reg, value: f32);
    fn copy(&mut self, lanes: Lanes, to: Reg, from: Reg);
    fn arithmetic(&mut self, op: Op, lanes: Lanes, to: Reg, a: Reg, b: Operand);
    /// Asks for the cache line of an address, which need not exist; nothing where the target cannot.
    fn prefetch(&mut self, from: Address);
    /// Makes constants addressable as [`Operand::Constant`], until the next table or [`VectorAsm::constant`].
    fn table(&mut self, constants: &[f32]);
    /// Fills a register from the table.
    fn table_entry(&mut self, lanes: Lanes, to: Reg, index: usize);
    fn square_root(&mut self, lanes: Lanes, to: Reg, from: Reg);
    fn select(&mut self, lanes: Lanes, to: Reg, selection: Selection);
    /// `p = p * 2^n`, rounded once, for `p` near 1 and integral `n` within -300..=300; overwrites the other registers.
    fn scale(&mut self, lanes: Lanes, p: Reg, n: Reg, spare: Reg);
    /// Moves a pointer by a constant.
    fn advance(&mut self, pointer: Pointer, bytes: i64);
    /// Opens the counted loop of this depth; 0 is the innermost.
    fn begin_loop(&mut self, depth: usize, trip: u32);
    fn end_loop(&mut self, depth: usize);
}
