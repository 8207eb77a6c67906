//! Kernels that are part of this crate: operators whose addresses or extents depend on data, and recurrent layers.
//!
//! One kernel is one file: a struct of its parameters and a `run` that is a function from arrays to arrays. A kernel sees safe
//! slices with any strides and with extents as they are at run time; it never sees the arena. An index out of range is a
//! [`RunError`](crate::RunError), extents it finds are written to their slots. Elementwise work, reductions and convolutions are
//! deliberately absent: those are generated.

mod compress;
mod concat;
mod copy;
mod cumulative;
mod det;
mod gather;
mod max_pool_gradient;
mod max_unpool;
mod non_max_suppression;
mod non_zero;
mod number;
mod recurrent;
mod reverse_sequence;
mod roi_align;
mod scatter;
mod top_k;
mod unique;

use crate::error::KernelError;
use crate::operands::Operands;

pub use compress::Compress;
pub use concat::Concat;
pub use copy::Copy;
pub use cumulative::Cumulative;
pub use det::Det;
pub use gather::{Gather, GatherElements, GatherNd};
pub use max_pool_gradient::MaxPoolGradient;
pub use max_unpool::MaxUnpool;
pub use non_max_suppression::NonMaxSuppression;
pub use non_zero::NonZero;
pub use recurrent::{Activation, ActivationKind, Direction, Gru, Lstm, Rnn};
pub use reverse_sequence::ReverseSequence;
pub use roi_align::{RoiAlign, RoiPooling};
pub use scatter::{Reduction, ScatterElements, ScatterNd};
pub use top_k::TopK;
pub use unique::Unique;

macro_rules! kernels {
    ($($number:literal => $name:ident),* $(,)?) => {
        /// A kernel and its parameters. Axes are counted from the front; inputs and outputs are those of the ONNX operator of the
        /// same name unless its parameters say otherwise.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Portable {
            $($name($name)),*
        }

        crate::wire::wire_enum!(Portable "portable kernel" { $($number => $name(kernel)),* });

        impl Portable {
            /// Every kernel's number in a file, and its name.
            #[cfg(test)]
            pub(crate) const NUMBERS: &[(u8, &str)] = &[$(($number, stringify!($name))),*];

            /// The operator's name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Portable::$name(_) => stringify!($name)),*
                }
            }

            pub(crate) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
                match self {
                    $(Portable::$name(kernel) => kernel.run(operands)),*
                }
            }
        }

        $(impl From<$name> for Portable {
            fn from(kernel: $name) -> Portable {
                Portable::$name(kernel)
            }
        })*
    };
}

kernels! {
    0 => Copy,
    1 => Concat,
    2 => Gather,
    3 => GatherElements,
    4 => GatherNd,
    5 => ScatterElements,
    6 => ScatterNd,
    7 => TopK,
    8 => Cumulative,
    9 => NonZero,
    10 => Compress,
    11 => Unique,
    12 => NonMaxSuppression,
    13 => Rnn,
    14 => Gru,
    15 => Lstm,
    16 => RoiAlign,
    17 => Det,
    18 => ReverseSequence,
    19 => MaxUnpool,
    20 => MaxPoolGradient,
}

/// An index counted from the front, or from the back where negative; `position` says which one it is, for the message.
fn wrap(value: i64, position: usize, bound: usize) -> Result<usize, KernelError> {
    let extent = bound as i64;
    match value {
        _ if (0..extent).contains(&value) => Ok(value as usize),
        _ if (-extent..0).contains(&value) => Ok((value + extent) as usize),
        _ => Err(KernelError::Index {
            value,
            position,
            bound,
        }),
    }
}

/// A shape as `[outer, n, inner]`: the axis, and what lies before and behind it.
fn around(dims: &[usize], axis: u32) -> Result<[usize; 3], KernelError> {
    match dims.split_at_checked(axis as usize) {
        Some((outer, [n, inner @ ..])) => Ok([outer.iter().product(), *n, inner.iter().product()]),
        _ => Err(shape("the input", format!("a dimension {axis}"), dims)),
    }
}

/// The error for a shape that does not fit.
fn shape(what: &str, expected: impl Into<String>, found: &[usize]) -> KernelError {
    KernelError::Shape {
        what: what.to_owned(),
        expected: expected.into(),
        found: found.to_vec(),
    }
}
