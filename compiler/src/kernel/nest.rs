//! Loop nests: the lowering of everything that is not a hot tile.
//!
//! A [`Nest`] is perfectly nested loops around one store. Every address is affine in the loop counters, so broadcasting is a
//! stride of 0, a reversed slice a negative one, and a blocked layout one more loop. With `p` the parallel and `r` the reduction
//! counters, it computes
//!
//! ```text
//! for p:                                      -- where the guards on p alone hold
//!     acc = neutral
//!     for r:                                  -- where the guards on r hold
//!         acc = combine(acc, map(loads[p, r]))
//!     store[p] = finish(acc, count, extra[p])
//! ```
//!
//! and without a reduction `store[p] = map(loads[p])`. Iterations over `p` are independent: any partition gives the same bits.
//!
//! `lower` makes nests from operator classes ([`elementwise`], [`reduce`], [`contract`], [`window`], [`movement`]); a nest prints
//! itself; `codegen::nest` makes it machine code. Deliberately absent: data-dependent addresses (routines of the runtime), and
//! blocking for caches or registers (tiles).

mod axes;
mod contract;
mod elementwise;
mod movement;
mod reduce;
mod simplify;
mod text;
mod window;

pub use contract::contract;
pub use elementwise::elementwise;
pub use movement::movement;
pub use reduce::reduce;
pub use window::window;

use crate::memory::view::{Extent, Space, View};
use cnnc_ir::class::Combine;
use cnnc_ir::expr::Literal;
use cnnc_ir::{DType, Ex, ScalarExpr};

/// Perfectly nested loops around one store; see the module's head for the meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Nest {
    /// What it computes, for listings.
    pub label: String,
    /// Outermost first; all parallel loops come before all reduction loops.
    pub loops: Vec<Loop>,
    /// Counters derived by exact division. Counter number `loops.len() + k` is the k-th quotient.
    pub quotients: Vec<Quotient>,
    /// An iteration exists where all guards hold.
    pub guards: Vec<Guard>,
    /// Operand `k` is argument `k` of `map`.
    pub loads: Vec<Load>,
    /// Evaluated for every iteration; `Index(v)` is counter `v`.
    pub map: ScalarExpr,
    /// Present where, and only where, there are reduction loops.
    pub reduction: Option<Reduction>,
    /// Where the result goes; its coefficients of reduction counters are zero.
    pub store: Access,
}

/// One counted loop, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    pub extent: Extent,
    pub role: Role,
}

/// Whether the iterations of a loop write different elements or add up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Parallel,
    Reduce,
}

/// An integer affine in the counters; missing coefficients are zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Affine {
    pub base: i64,
    pub coefficients: Vec<i64>,
}

/// Holds where `0 <= coordinate < extent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    pub coordinate: Affine,
    pub extent: Extent,
}

/// A counter `numerator / divisor`. The iteration exists only where the division is exact and the quotient lies in `0..extent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quotient {
    /// Over loop counters only.
    pub numerator: Affine,
    /// At least 1.
    pub divisor: u64,
    pub extent: Extent,
}

/// An element's place: `offset` bytes into the space, plus the dot product of counters and strides (elements).
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub space: Space,
    pub offset: i64,
    pub dtype: DType,
    /// One entry a counter (loops, then quotients); missing ones are zero.
    pub strides: Vec<i64>,
}

/// An operand. Where one of its guards fails the value is `fill` and memory is not touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub access: Access,
    pub guards: Vec<Guard>,
    pub fill: Literal,
}

/// How the iterations of the reduction loops become one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    pub combine: Combine,
    /// Type of the accumulator (`map`'s value is converted); for the arg kinds, the type that is compared.
    pub accumulator: DType,
    /// The value the arg kinds yield (i64) for an iteration.
    pub position: Affine,
    /// Argument 1 of `finish`, in the accumulator's type, is the product over the reduction loops of the number of their
    /// iterations for which these guards hold. Each guard names exactly one reduction counter, with a positive coefficient.
    pub count: Vec<Guard>,
    /// Argument 0 is the accumulated value, 1 the count, `2 + k` operand `k` of `loads`.
    pub finish: ScalarExpr,
    /// Operands of `finish`, loaded once a result.
    pub loads: Vec<Load>,
}

/// A fused expression over an operator's result: argument 0 is the result (in the operator's own output type), argument `k + 1`
/// the element of operand `k`, broadcast to the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    pub expr: ScalarExpr,
    pub operands: Vec<View>,
    /// Element type of the operator's result before the expression.
    pub result: DType,
}

/// Why a class cannot be lowered to loop nests for these views.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    #[error("operand {operand} is missing")]
    MissingOperand { operand: usize },
    #[error("operand {operand} has rank {found}, expected {expected}")]
    Rank {
        operand: usize,
        found: usize,
        expected: usize,
    },
    #[error("{what} cannot be addressed in the layout {layout}")]
    Layout { what: &'static str, layout: String },
    #[error("{what} has an extent that is known only at run time")]
    Dynamic { what: &'static str },
    #[error("no common loops walk the shapes {from} and {to} in row-major order")]
    Reshape { from: String, to: String },
    #[error("a coordinate or address does not fit 64 bits")]
    Overflow,
    #[error("the class is not a loop nest")]
    NotANest,
}

impl Affine {
    pub fn constant(base: i64) -> Affine {
        Affine {
            base,
            coefficients: Vec::new(),
        }
    }

    /// Coefficient of a counter.
    pub fn coefficient(&self, counter: usize) -> i64 {
        self.coefficients.get(counter).copied().unwrap_or(0)
    }

    /// Adds `coefficient * counter`.
    pub fn plus(mut self, counter: usize, coefficient: i64) -> Affine {
        if self.coefficients.len() <= counter {
            self.coefficients.resize(counter + 1, 0);
        }
        self.coefficients[counter] += coefficient;
        self
    }

    /// `self + factor * other`.
    pub fn plus_scaled(mut self, other: &Affine, factor: i64) -> Affine {
        self.base += factor * other.base;
        for (counter, &c) in other.coefficients.iter().enumerate() {
            if c != 0 {
                self = self.plus(counter, factor * c);
            }
        }
        self
    }

    /// The innermost counter it depends on.
    pub fn deepest(&self) -> Option<usize> {
        self.coefficients.iter().rposition(|&c| c != 0)
    }
}

impl Load {
    /// A load that always exists.
    pub fn plain(access: Access) -> Load {
        Load {
            access,
            guards: Vec::new(),
            fill: Literal::Int(0),
        }
    }
}

impl Access {
    /// Stride of a counter, in elements.
    pub fn stride(&self, counter: usize) -> i64 {
        self.strides.get(counter).copied().unwrap_or(0)
    }
}

impl Nest {
    /// Number of parallel loops.
    pub fn parallel(&self) -> usize {
        self.loops
            .iter()
            .take_while(|l| l.role == Role::Parallel)
            .count()
    }

    /// Every load: of `map`, then of `finish`.
    pub fn all_loads(&self) -> impl Iterator<Item = &Load> {
        let extra = self.reduction.iter().flat_map(|r| &r.loads);
        self.loads.iter().chain(extra)
    }
}

/// The expression `arg 0` of that type, cast to `to` (or to its compute type) where it differs.
fn identity(from: DType, to: DType) -> ScalarExpr {
    Ex::arg(0, from).cast(to.compute()).finish()
}
