//! The microkernel ("tile"): one description, several targets.
//!
//! A tile keeps a small block of outputs, `pixels` x `columns` of vectors, in registers for the whole of
//! its reduction. Every address is `argument + constant + sum(loop index * stride)`, so a convolution of any kernel
//! size, stride or dilation, a matrix product, a fully connected layer and a depthwise convolution are all
//! the same description with other numbers. Shapes are baked into the code: a tile has no run-time parameters but
//! its five pointers `fn(input, weights, output, bias, residual)`.
//!
//! For pixel `p`, column `c` and lane `l` the tile computes, in exactly this order of fused multiply-adds,
//!
//! ```text
//! acc = bias[c][l] | bias[p] | 0 | -inf | output[p][c][l]
//! for nest in reduction, for its loop indices (outermost slowest), for tap in nest.taps:
//!     acc += x(p, c, l, tap) * weight(c, l, tap)
//! output[p][c][l] = epilogue(acc)
//! ```
//!
//! where `x` is one scalar shared by all lanes ([`Source::Broadcast`]) or the lane's own element ([`Source::Lanes`]). A pool
//! ([`Source::Pool`]) has no weights: it adds or compares the lane's own elements.
//! The order is part of the meaning: AVX-512, AVX2 and the interpreter agree bit for bit.
//!
//! Deliberately absent: choosing shapes and looping over tiles (`kernel::conv`), any knowledge of
//! layouts.

mod asm;
mod avx2;
mod avx512;
mod check;
mod cranelift;
mod emit;
mod formula;
mod interp;
mod listing;
mod mask;
mod target;
mod text;
pub mod transform;
pub mod unpool;
mod x86;

use std::fmt;

pub use asm::{Address, Frame, Op, Operand, Pointer, Reg, VectorAsm};
pub use check::check;
use emit::Emit;
pub use formula::{Binary, Compare, Formula, Inst};
pub use interp::{Arguments, Fault, interpret};
pub use listing::listing;
pub use mask::{Mask, Span};
pub use target::{Rates, Shape, Target};
use transform::Transform;
use unpool::Unpool;

/// Bytes of one f32 element.
pub const ELEMENT: i64 = 4;

/// The microkernel description; see the module's head for its meaning. Offsets are bytes from the argument pointers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// How input elements meet weights.
    pub source: Source,
    /// Output positions computed together; each reads its own input and shares the weights.
    pub pixels: Vec<Pixel>,
    /// Vectors of output channels. Weights and bias of the columns lie side by side, in this order.
    pub columns: Vec<Column>,
    /// What the accumulators hold before the reduction.
    pub init: Init,
    /// The reduction: nests run one after the other.
    pub reduction: Vec<Nest>,
    /// Steps applied to the accumulators before they are stored, in order.
    pub epilogue: Vec<Step>,
}

/// How an input element meets a weight vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// One input scalar times a vector of weights: convolution, matrix product.
    Broadcast,
    /// A vector of input elements times a vector of weights, lane by lane: depthwise convolution.
    Lanes,
    /// A vector of input elements without weights, lane by lane.
    Pool(Pool),
}

/// How a pool accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pool {
    /// `acc + x`.
    Sum,
    /// The greater of `acc` and `x`; NaN where either is.
    Max,
}

impl Source {
    /// Whether lanes read elements of their own.
    pub fn is_lane_by_lane(self) -> bool {
        self != Source::Broadcast
    }
}

/// One output position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pixel {
    /// Offset of its first input element.
    pub input: i32,
    /// Offset of its first output element; the residual is read at the same offset.
    pub output: i32,
}

/// One vector of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Vector width; also the room the column takes among weights and bias.
    pub lanes: Lanes,
    /// Lanes that exist: memory beyond them is neither read nor written.
    pub valid: u8,
    /// Offset added to a pixel's input; zero unless the source is lane by lane.
    pub input: i32,
    /// Offset added to a pixel's output.
    pub output: i32,
    /// Offset added to where its weights would lie side by side with those of the other columns.
    pub weights: i32,
}

impl Column {
    /// A column all of whose lanes exist, whose input offset is zero.
    pub fn full(lanes: Lanes, output: i32) -> Self {
        Column {
            lanes,
            valid: lanes.count() as u8,
            input: 0,
            output,
            weights: 0,
        }
    }

    /// Whether some lanes do not exist.
    pub fn is_partial(&self) -> bool {
        usize::from(self.valid) < self.lanes.count()
    }
}

/// Elements of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lanes {
    Four = 4,
    Eight = 8,
    Sixteen = 16,
}

impl Lanes {
    /// The number of f32 elements.
    pub const fn count(self) -> usize {
        self as usize
    }

    /// The size of the vector in bytes.
    pub const fn bytes(self) -> i64 {
        self as i64 * ELEMENT
    }
}

/// What the accumulators hold before the reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Init {
    /// The bias of their column, the same for every pixel.
    Bias,
    /// The bias of their pixel, the same for every column: pixels stand for output channels.
    PixelBias,
    Zero,
    /// Less than any number: `-inf`.
    Lowest,
    /// What the output holds: a reduction split over several calls.
    Accumulate,
}

/// Loops around an unrolled body of multiply-adds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nest {
    /// Offset of the first element read, added to the pixel's.
    pub input: i32,
    /// Offset of the first weight vector.
    pub weights: i32,
    /// The unrolled body.
    pub taps: Vec<Tap>,
    /// Counted loops around the body, innermost first.
    pub loops: Vec<Loop>,
}

impl Nest {
    /// Elements that one accumulator meets.
    pub fn elements(&self) -> u64 {
        let trips: u64 = self.loops.iter().map(|l| u64::from(l.trip)).product();
        trips * self.taps.len() as u64
    }
}

/// One multiply-add of every accumulator: where it reads, from where the nest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    pub input: i32,
    pub weights: i32,
    pub clip: Clip,
}

/// Lanes of a tap whose weights are not read but zero, counted over all columns' valid lanes: where vectors are rows of an
/// activation, those that lie in the padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clip {
    /// Lanes at the head of the first columns.
    pub head: u16,
    /// Lanes at the tail of the last columns.
    pub tail: u16,
}

impl Clip {
    pub const NONE: Clip = Clip { head: 0, tail: 0 };
}

/// A counted loop of a [`Nest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loop {
    /// Iterations, at least one.
    pub trip: u32,
    /// Input bytes from one iteration to the next.
    pub input: i32,
    /// Weight bytes from one iteration to the next.
    pub weights: i32,
}

/// A fused step of the epilogue on the accumulator `x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `x + residual`, the residual having the geometry of the output.
    AddResidual,
    /// `if c > x { c } else { x }`: a NaN in `x` stays.
    Max(Scalar),
    /// `if c < x { c } else { x }`: a NaN in `x` stays.
    Min(Scalar),
    /// `x * c`.
    Scale(Scalar),
    /// `max(x, 0) + alpha * min(x, 0)`, for finite `alpha`.
    LeakyRelu(Scalar),
    /// `x * min(max(x * scale + shift, 0), 1)`, the product rounded before the sum (ONNX HardSwish).
    Gate { scale: Scalar, shift: Scalar },
    /// Any other function of `x` and the residual.
    Map(Formula),
}

/// An f32 constant compared by its bits, so that descriptions have `Eq` and `Hash`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar(u32);

impl Scalar {
    pub const ZERO: Scalar = Scalar(0);

    /// The constant's value.
    pub fn value(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Self {
        Scalar(value.to_bits())
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value())
    }
}

/// Why a tile cannot be assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    #[error("a tile needs at least one pixel and one column, found {pixels} x {columns}")]
    Empty { pixels: usize, columns: usize },
    #[error("column {column} has {lanes} lanes, {target} has at most {widest}")]
    Lanes {
        column: usize,
        lanes: usize,
        target: Target,
        widest: usize,
    },
    #[error("column {column} has {valid} valid lanes, expected 1 to {lanes}")]
    Valid {
        column: usize,
        valid: u8,
        lanes: usize,
    },
    #[error("a tap is clipped, which only a tile with source `broadcast` may have")]
    Clip,
    #[error("the tile needs {needed} masks, {target} has {available}")]
    Masks {
        needed: usize,
        available: usize,
        target: Target,
    },
    #[error(
        "column {column} has an input offset, which only a tile whose source is lane by lane may have"
    )]
    ColumnInput { column: usize },
    #[error("nest {nest} has {depth} loops, at most {limit} are supported")]
    Depth {
        nest: usize,
        depth: usize,
        limit: usize,
    },
    #[error("loop {depth} of nest {nest} has trip count {trip}, expected 1 to 2147483647")]
    Trip {
        nest: usize,
        depth: usize,
        trip: u32,
    },
    #[error(
        "the tile needs {needed} vector registers ({pixels} x {columns} accumulators), {target} has {available}"
    )]
    Registers {
        pixels: usize,
        columns: usize,
        needed: usize,
        available: usize,
        target: Target,
    },
    #[error("an offset of {offset} bytes does not fit the 32-bit displacement of an instruction")]
    Offset { offset: i64 },
    #[error("the assembler refused an instruction: {0}")]
    Encode(String),
}

/// One of the kinds of microkernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Microkernel {
    Tile(Tile),
    Transform(Transform),
    Unpool(Unpool),
}

impl From<Tile> for Microkernel {
    fn from(tile: Tile) -> Self {
        Microkernel::Tile(tile)
    }
}

impl From<Transform> for Microkernel {
    fn from(transform: Transform) -> Self {
        Microkernel::Transform(transform)
    }
}

impl From<Unpool> for Microkernel {
    fn from(unpool: Unpool) -> Self {
        Microkernel::Unpool(unpool)
    }
}

impl fmt::Display for Microkernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Microkernel::Tile(tile) => tile.fmt(f),
            Microkernel::Transform(transform) => transform.fmt(f),
            Microkernel::Unpool(unpool) => unpool.fmt(f),
        }
    }
}

/// Machine code of a tile, or what the code generator needs to make it.
#[derive(Debug)]
pub enum TileCode {
    /// Position-independent x86-64 code, System V `fn(input, weights, output, bias, residual)`.
    Bytes(Vec<u8>),
    /// A Cranelift function of the same signature, yet to be compiled.
    Clif(Box<cranelift_codegen::ir::Function>),
}

/// Assembles a tile for a target.
///
/// # Errors
/// When the description is malformed, or does not fit the target's vectors or registers.
pub fn assemble(tile: &Tile, target: Target) -> Result<TileCode, TileError> {
    check(tile, target)?;
    code(tile, target)
}

/// Assembles a transform for a target.
///
/// # Errors
/// When an offset does not fit an instruction.
pub fn assemble_transform(transform: &Transform, target: Target) -> Result<TileCode, TileError> {
    code(transform, target)
}

/// Assembles an unpool for a target.
///
/// # Errors
/// When an offset does not fit an instruction.
pub fn assemble_unpool(unpool: &Unpool, target: Target) -> Result<TileCode, TileError> {
    code(unpool, target)
}

fn code(kernel: &impl Emit, target: Target) -> Result<TileCode, TileError> {
    match target {
        Target::Avx512 => x86::assemble::<avx512::Avx512>(kernel).map(TileCode::Bytes),
        Target::Avx2 => x86::assemble::<avx2::Avx2>(kernel).map(TileCode::Bytes),
        Target::Clif128 { fma } => {
            cranelift::build(kernel, fma).map(|function| TileCode::Clif(Box::new(function)))
        }
    }
}
