//! Scalar functions for generated code, with the C calling convention. Those std has are std's; `erf` is here.

mod erf;

macro_rules! functions {
    ($number:ident { $($name:ident = $method:ident),* $(,)? }) => {
        $(pub(crate) extern "C" fn $name(x: $number) -> $number {
            x.$method()
        })*

        pub(crate) extern "C" fn pow(base: $number, exponent: $number) -> $number {
            base.powf(exponent)
        }

        pub(crate) extern "C" fn fmod(dividend: $number, divisor: $number) -> $number {
            dividend % divisor
        }
    };
}

macro_rules! family {
    ($number:ident) => {
        functions!($number {
            exp = exp, exp2 = exp2, expm1 = exp_m1, log = ln, log1p = ln_1p,
            sin = sin, cos = cos, tan = tan, asin = asin, acos = acos, atan = atan,
            sinh = sinh, cosh = cosh, tanh = tanh, asinh = asinh, acosh = acosh, atanh = atanh,
            round_half_even = round_ties_even,
        });
    };
}

/// f32.
pub(crate) mod single {
    family!(f32);

    /// Computed in f64 and rounded once.
    pub(crate) extern "C" fn erf(x: f32) -> f32 {
        super::erf::erf(f64::from(x)) as f32
    }
}

/// f64.
pub(crate) mod double {
    family!(f64);

    pub(crate) extern "C" fn erf(x: f64) -> f64 {
        super::erf::erf(x)
    }
}

/// Half-precision numbers as bits in the low half of a u32, which any calling convention passes alike.
pub(crate) mod half {
    use half::{bf16, f16};

    pub(crate) extern "C" fn f16_to_f32(bits: u32) -> f32 {
        f16::from_bits(bits as u16).to_f32()
    }

    pub(crate) extern "C" fn f32_to_f16(x: f32) -> u32 {
        u32::from(f16::from_f32(x).to_bits())
    }

    pub(crate) extern "C" fn bf16_to_f32(bits: u32) -> f32 {
        bf16::from_bits(bits as u16).to_f32()
    }

    pub(crate) extern "C" fn f32_to_bf16(x: f32) -> u32 {
        u32::from(bf16::from_f32(x).to_bits())
    }
}
