//! The little arithmetic that kernels of several element types share.

use crate::dtype::{Bool, DType, Element};
use crate::error::KernelError;
use crate::operands::{Array, Operands, zeroed};
use half::{bf16, f16};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Elements that can be added, multiplied and ordered. Integers wrap around; truth values are or-ed and and-ed.
pub(super) trait Number: Element + PartialEq {
    const ZERO: Self;
    const ONE: Self;

    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;

    /// A total order up to equality: NaN is above everything and equal to itself, -0 equals 0.
    fn order(&self, other: &Self) -> Ordering;

    /// Whether it is unequal to itself.
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }

    /// The larger; NaN where either is.
    fn larger(self, other: Self) -> Self {
        match self.order(&other) {
            Ordering::Less => other,
            _ => self,
        }
    }

    /// The smaller; NaN where either is.
    fn smaller(self, other: Self) -> Self {
        match self.order(&other) {
            _ if self.is_nan() => self,
            _ if other.is_nan() => other,
            Ordering::Greater => other,
            _ => self,
        }
    }
}

macro_rules! integers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            const ZERO: Self = 0;
            const ONE: Self = 1;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}

macro_rules! floats {
    ($($number:ty: $zero:expr, $one:expr);*) => {$(
        impl Number for $number {
            const ZERO: Self = $zero;
            const ONE: Self = $one;

            fn plus(self, other: Self) -> Self {
                self + other
            }

            fn times(self, other: Self) -> Self {
                self * other
            }

            fn order(&self, other: &Self) -> Ordering {
                let nan_last = || Number::is_nan(*self).cmp(&Number::is_nan(*other));
                self.partial_cmp(other).unwrap_or_else(nan_last)
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);
floats!(f32: 0.0, 1.0; f64: 0.0, 1.0; f16: f16::ZERO, f16::ONE; bf16: bf16::ZERO, bf16::ONE);

impl Number for Bool {
    const ZERO: Self = Bool(0);
    const ONE: Self = Bool(1);

    fn plus(self, other: Self) -> Self {
        Bool::from(self.get() || other.get())
    }

    fn times(self, other: Self) -> Self {
        Bool::from(self.get() && other.get())
    }

    fn order(&self, other: &Self) -> Ordering {
        self.get().cmp(&other.get())
    }
}

/// The types arithmetic on real numbers is done in.
pub(super) trait Real:
    Number
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
    fn exp(self) -> Self;
    fn ln_1p(self) -> Self;
    fn tanh(self) -> Self;
    fn ceil(self) -> Self;
}

macro_rules! reals {
    ($($number:ident),*) => {$(
        impl Real for $number {
            fn from_f64(x: f64) -> Self {
                x as $number
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn exp(self) -> Self {
                $number::exp(self)
            }

            fn ln_1p(self) -> Self {
                $number::ln_1p(self)
            }

            fn tanh(self) -> Self {
                $number::tanh(self)
            }

            fn ceil(self) -> Self {
                $number::ceil(self)
            }
        }
    )*};
}

reals!(f32, f64);

/// A floating-point input as numbers of type `R`: borrowed where it is of that type, converted where it is not.
pub(super) fn reals<'a, R: Real>(
    operands: &Operands<'a>,
    index: usize,
) -> Result<Array<'a, R>, KernelError> {
    let wide = |dims, values: &mut dyn Iterator<Item = f64>, count| {
        let mut data = zeroed(count)?;
        for (wide, value) in data.iter_mut().zip(values) {
            *wide = R::from_f64(value);
        }
        Ok(Array {
            dims,
            data: Cow::Owned(data),
        })
    };
    match operands.dtype(index)? {
        DType::F16 => {
            let array = operands.input::<f16>(index)?;
            wide(
                array.dims,
                &mut array.data.iter().map(|x| x.to_f64()),
                array.data.len(),
            )
        }
        DType::BF16 => {
            let array = operands.input::<bf16>(index)?;
            wide(
                array.dims,
                &mut array.data.iter().map(|x| x.to_f64()),
                array.data.len(),
            )
        }
        _ => operands.input::<R>(index),
    }
}

/// As [`reals`], of an input that may be absent.
pub(super) fn optional_reals<'a, R: Real>(
    operands: &Operands<'a>,
    index: usize,
) -> Result<Option<Array<'a, R>>, KernelError> {
    match operands.has(index) {
        true => reals(operands, index).map(Some),
        false => Ok(None),
    }
}

/// Writes numbers of type `R` to an output of any floating-point type, rounded to it.
pub(super) fn write_reals<R: Real>(
    operands: &mut Operands<'_>,
    index: usize,
    dims: &[usize],
    values: &[R],
) -> Result<(), KernelError> {
    macro_rules! write {
        ($number:ty, $round:expr) => {
            operands.output::<$number>(index, dims, |out| {
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = $round(value.to_f64());
                }
                Ok(())
            })
        };
    }
    match operands.output_dtype(index) {
        None => Ok(()),
        Some(DType::F32) => write!(f32, |x| x as f32),
        Some(DType::F64) => write!(f64, |x| x),
        Some(DType::F16) => write!(f16, f16::from_f64),
        Some(DType::BF16) => write!(bf16, bf16::from_f64),
        Some(found) => Err(KernelError::Type {
            kind: "output",
            index,
            found,
        }),
    }
}
