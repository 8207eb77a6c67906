//! What generated code sees: the argument record [`Env`] and the table of mathematical functions [`MathFn`].
//!
//! Every generated function is `extern "C" fn(env: *const Env, lo: u64, hi: u64)` (System V on the supported hosts) and does
//! the chunks `lo..hi` of its step. The offsets below and the numbers of [`MathFn`] are part of the artefact's format.
//!
//! Floating-point mode: as IEEE 754 says and as Rust leaves it. Subnormal numbers are never flushed (FTZ and DAZ stay clear),
//! so there is nothing to restore and every thread computes the same bits.

/// A generated function.
pub type NativeFn = unsafe extern "C" fn(env: *const Env, lo: u64, hi: u64);

/// The pointers generated code works through. One record a thread; they differ in `scratch` alone.
#[repr(C)]
pub struct Env {
    /// The session's arena: `Program::arena_bytes` and [`TAIL_BYTES`] more that may be read.
    pub arena: *mut u8,
    /// Constants; read-only. [`TAIL_BYTES`] more may be read.
    pub weights: *const u8,
    /// Named buffers of the session: `Program::state_bytes` and [`TAIL_BYTES`] more that may be read.
    pub state: *mut u8,
    /// One i64 for each extent slot.
    pub extents: *mut i64,
    /// Addresses of [`MathFn`], by number.
    pub math: *const usize,
    /// This thread's own `Program::scratch_bytes`, of undefined contents.
    pub scratch: *mut u8,
}

impl Env {
    /// Offsets of the fields in bytes, for code generation.
    pub const ARENA: usize = std::mem::offset_of!(Env, arena);
    pub const WEIGHTS: usize = std::mem::offset_of!(Env, weights);
    pub const STATE: usize = std::mem::offset_of!(Env, state);
    pub const EXTENTS: usize = std::mem::offset_of!(Env, extents);
    pub const MATH: usize = std::mem::offset_of!(Env, math);
    pub const SCRATCH: usize = std::mem::offset_of!(Env, scratch);
}

/// Alignment in bytes of every space (arena, weights, state, scratch).
pub const SPACE_ALIGN: u64 = 64;

/// Readable bytes behind every space, so that a vector load may run past the last element.
pub const TAIL_BYTES: u64 = 1024;

/// The C signature of a [`MathFn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathSignature {
    /// `fn(f32) -> f32`
    F32,
    /// `fn(f64) -> f64`
    F64,
    /// `fn(f32, f32) -> f32`
    F32F32,
    /// `fn(f64, f64) -> f64`
    F64F64,
    /// `fn(u32) -> f32`: the low 16 bits are the half-precision number
    BitsToF32,
    /// `fn(f32) -> u32`: the low 16 bits are the half-precision number, the rest is zero
    F32ToBits,
}

macro_rules! math_functions {
    ($($(#[$doc:meta])* $variant:ident : $signature:ident = $path:path),* $(,)?) => {
        /// A scalar function that generated code calls through [`Env::math`]; the discriminant is its index there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum MathFn {
            $($(#[$doc])* $variant),*
        }

        impl MathFn {
            /// Every function, in the order of the table.
            pub const ALL: &[MathFn] = &[$(MathFn::$variant),*];

            pub const fn signature(self) -> MathSignature {
                match self {
                    $(MathFn::$variant => MathSignature::$signature),*
                }
            }

            /// The address of the function in this process.
            pub fn address(self) -> usize {
                match self {
                    $(MathFn::$variant => math_functions!(@cast $signature $path)),*
                }
            }
        }
    };
    (@cast F32 $path:path) => { $path as extern "C" fn(f32) -> f32 as usize };
    (@cast F64 $path:path) => { $path as extern "C" fn(f64) -> f64 as usize };
    (@cast F32F32 $path:path) => { $path as extern "C" fn(f32, f32) -> f32 as usize };
    (@cast F64F64 $path:path) => { $path as extern "C" fn(f64, f64) -> f64 as usize };
    (@cast BitsToF32 $path:path) => { $path as extern "C" fn(u32) -> f32 as usize };
    (@cast F32ToBits $path:path) => { $path as extern "C" fn(f32) -> u32 as usize };
}

use crate::math::{double, half, single};

math_functions! {
    ExpF32: F32 = single::exp,
    ExpF64: F64 = double::exp,
    Exp2F32: F32 = single::exp2,
    Exp2F64: F64 = double::exp2,
    Expm1F32: F32 = single::expm1,
    Expm1F64: F64 = double::expm1,
    LogF32: F32 = single::log,
    LogF64: F64 = double::log,
    Log1pF32: F32 = single::log1p,
    Log1pF64: F64 = double::log1p,
    SinF32: F32 = single::sin,
    SinF64: F64 = double::sin,
    CosF32: F32 = single::cos,
    CosF64: F64 = double::cos,
    TanF32: F32 = single::tan,
    TanF64: F64 = double::tan,
    AsinF32: F32 = single::asin,
    AsinF64: F64 = double::asin,
    AcosF32: F32 = single::acos,
    AcosF64: F64 = double::acos,
    AtanF32: F32 = single::atan,
    AtanF64: F64 = double::atan,
    SinhF32: F32 = single::sinh,
    SinhF64: F64 = double::sinh,
    CoshF32: F32 = single::cosh,
    CoshF64: F64 = double::cosh,
    TanhF32: F32 = single::tanh,
    TanhF64: F64 = double::tanh,
    AsinhF32: F32 = single::asinh,
    AsinhF64: F64 = double::asinh,
    AcoshF32: F32 = single::acosh,
    AcoshF64: F64 = double::acosh,
    AtanhF32: F32 = single::atanh,
    AtanhF64: F64 = double::atanh,
    ErfF32: F32 = single::erf,
    ErfF64: F64 = double::erf,
    /// `pow(base, exponent)`
    PowF32: F32F32 = single::pow,
    PowF64: F64F64 = double::pow,
    /// The remainder with the sign of the dividend, C's `fmod`.
    FmodF32: F32F32 = single::fmod,
    FmodF64: F64F64 = double::fmod,
    /// To the nearest integer, ties to even.
    RoundHalfEvenF32: F32 = single::round_half_even,
    RoundHalfEvenF64: F64 = double::round_half_even,
    F16ToF32: BitsToF32 = half::f16_to_f32,
    F32ToF16: F32ToBits = half::f32_to_f16,
    Bf16ToF32: BitsToF32 = half::bf16_to_f32,
    F32ToBf16: F32ToBits = half::f32_to_bf16,
}

/// The table for [`Env::math`].
pub(crate) fn math_table() -> Vec<usize> {
    MathFn::ALL.iter().map(|f| f.address()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_stands_at_its_number() {
        for (index, f) in MathFn::ALL.iter().enumerate() {
            assert_eq!(*f as usize, index, "{f:?}");
        }
    }

    #[test]
    fn fields_follow_each_other() {
        let word = size_of::<usize>();
        let offsets = [
            Env::ARENA,
            Env::WEIGHTS,
            Env::STATE,
            Env::EXTENTS,
            Env::MATH,
            Env::SCRATCH,
        ];
        assert_eq!(offsets, [0, word, 2 * word, 3 * word, 4 * word, 5 * word]);
    }
}
