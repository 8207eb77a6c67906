//! Formulas: what a tile's epilogue computes for one element, in the few operations every target has.
//!
//! A formula is straight-line f32 code in SSA form. Transcendental functions are spelled out once, when a scalar expression is
//! lowered ([`Formula::lower`]); assemblers and the interpreter follow the same sequence of operations, so targets with fused
//! multiply-adds agree to the last bit.
//!
//! Deliberately absent: integers, booleans as values (a comparison stands inside its selection), registers (`emit`).

pub mod layout;
mod lower;
mod math;

use super::Scalar;
use std::fmt;

/// A value: the number of the instruction that computes it.
pub type Val = u16;

/// Straight-line code; the last instruction is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Formula {
    pub code: Vec<Inst>,
}

/// One instruction; operands are earlier instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inst {
    /// The accumulator.
    Accumulator,
    /// The residual, which has the geometry of the output.
    Residual,
    Constant(Scalar),
    Binary(Binary, Val, Val),
    /// `a * b + c`, rounded once where the target can.
    MulAdd(Val, Val, Val),
    Sqrt(Val),
    /// `p * 2^n`, rounded once, for `n` integral within -300..=300 and `p` of a magnitude near 1.
    Scale(Val, Val),
    /// `if x <compare> y { a } else { b }`.
    Select(Compare, [Val; 4]),
}

/// Two-operand instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// `if a > b { a } else { b }`: a NaN in `b` wins.
    Max,
    /// `if a < b { a } else { b }`: a NaN in `b` wins.
    Min,
    /// Of the bits, as the others below.
    And,
    Or,
    Xor,
}

/// Comparisons; all are false for NaN, but for [`Compare::NotEqual`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Binary {
    /// Whether the operands may change places without changing any bit but a NaN's.
    pub fn commutes(self) -> bool {
        matches!(
            self,
            Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor
        )
    }

    fn apply(self, a: f32, b: f32) -> f32 {
        let bits = |f: fn(u32, u32) -> u32| f32::from_bits(f(a.to_bits(), b.to_bits()));
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Max if a > b => a,
            Binary::Min if a < b => a,
            Binary::Max | Binary::Min => b,
            Binary::And => bits(|a, b| a & b),
            Binary::Or => bits(|a, b| a | b),
            Binary::Xor => bits(|a, b| a ^ b),
        }
    }
}

impl Compare {
    fn holds(self, x: f32, y: f32) -> bool {
        match self {
            Compare::Less => x < y,
            Compare::LessOrEqual => x <= y,
            Compare::Equal => x == y,
            Compare::NotEqual => x != y,
        }
    }
}

impl Inst {
    /// The values it reads.
    pub fn operands(&self) -> Vec<Val> {
        match *self {
            Inst::Accumulator | Inst::Residual | Inst::Constant(_) => Vec::new(),
            Inst::Sqrt(a) => vec![a],
            Inst::Binary(_, a, b) | Inst::Scale(a, b) => vec![a, b],
            Inst::MulAdd(a, b, c) => vec![a, b, c],
            Inst::Select(_, values) => values.to_vec(),
        }
    }
}

impl Formula {
    /// The result for one element; products and sums are fused as in the AVX targets.
    ///
    /// # Errors
    /// What `residual` answers with.
    pub fn eval<E>(
        &self,
        accumulator: f32,
        residual: impl Fn() -> Result<f32, E>,
    ) -> Result<f32, E> {
        let mut values: Vec<f32> = Vec::with_capacity(self.code.len());
        for inst in &self.code {
            let at = |v: Val| values[usize::from(v)];
            let value = match *inst {
                Inst::Accumulator => accumulator,
                Inst::Residual => residual()?,
                Inst::Constant(c) => c.value(),
                Inst::Binary(op, a, b) => op.apply(at(a), at(b)),
                Inst::MulAdd(a, b, c) => at(a).mul_add(at(b), at(c)),
                Inst::Sqrt(a) => at(a).sqrt(),
                // Doubles hold the product exactly, so it is rounded once.
                Inst::Scale(p, n) => (f64::from(at(p)) * f64::from(at(n)).exp2()) as f32,
                Inst::Select(compare, [x, y, a, b]) => {
                    at(if compare.holds(at(x), at(y)) { a } else { b })
                }
            };
            values.push(value);
        }
        Ok(values.last().copied().unwrap_or(accumulator))
    }

    /// Whether the residual is an operand.
    pub fn reads_residual(&self) -> bool {
        self.code.contains(&Inst::Residual)
    }
}

/// `acc; 1.0; add %0 %1`: one instruction after the other.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, inst) in self.code.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match *inst {
                Inst::Accumulator => f.write_str("acc"),
                Inst::Residual => f.write_str("residual"),
                Inst::Constant(c) => write!(f, "{c:?}"),
                Inst::Binary(op, a, b) => write!(f, "{} %{a} %{b}", lower_case(op)),
                Inst::MulAdd(a, b, c) => write!(f, "muladd %{a} %{b} %{c}"),
                Inst::Sqrt(a) => write!(f, "sqrt %{a}"),
                Inst::Scale(p, n) => write!(f, "scale %{p} %{n}"),
                Inst::Select(c, [x, y, a, b]) => {
                    write!(f, "select %{x} {} %{y} ? %{a} : %{b}", lower_case(c))
                }
            }?;
        }
        Ok(())
    }
}

fn lower_case(name: impl fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnnc_ir::{DType, Ex, ScalarExpr};

    fn lowered(expr: &ScalarExpr) -> Formula {
        Formula::lower(expr, |_| Inst::Accumulator).expect("a formula")
    }

    fn at(formula: &Formula, x: f32) -> f32 {
        let none = || Err("no residual");
        formula.eval(x, none).expect("a value")
    }

    /// The largest relative error against `exact` over the floats of a range.
    fn worst(f: impl Fn(&Ex) -> Ex, exact: fn(f64) -> f64, range: std::ops::Range<f32>) -> f64 {
        let formula = lowered(&f(&Ex::arg(0, DType::F32)).finish());
        (0..200_000)
            .map(|k| range.start + (range.end - range.start) * (k as f32 / 200_000.0))
            .map(|x| {
                let (found, exact) = (f64::from(at(&formula, x)), exact(f64::from(x)));
                (found - exact).abs() / exact.abs().max(f64::from(f32::MIN_POSITIVE))
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn transcendental_functions_are_within_a_few_ulp() {
        let ulp = f64::from(f32::EPSILON);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(Ex::exp, f64::exp, -87.0..88.7) < ulp);
        assert!(worst(Ex::sigmoid, sigmoid, -80.0..80.0) < 2.0 * ulp);
        assert!(worst(Ex::tanh, f64::tanh, -10.0..10.0) < 2.0 * ulp);
    }

    #[test]
    fn the_error_function_has_its_tabulated_values() {
        let erf = lowered(&Ex::arg(0, DType::F32).erf().finish());
        for (x, value) in [
            (0.25, 0.276_326_4),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (2.0, 0.995_322_3),
            (6.0, 1.0),
        ] {
            assert!((at(&erf, x) - value).abs() < 1.5 * f32::EPSILON);
            assert_eq!(at(&erf, -x), -at(&erf, x));
        }
    }

    #[test]
    fn exp_reaches_its_limits() {
        let exp = lowered(&Ex::arg(0, DType::F32).exp().finish());
        let found = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            88.8,
            -104.0,
            -103.0,
            0.0,
            -0.0,
        ]
        .map(|x| at(&exp, x));
        assert_eq!(
            found,
            [
                f32::INFINITY,
                0.0,
                f32::INFINITY,
                0.0,
                f32::from_bits(1),
                1.0,
                1.0
            ]
        );
        assert!(at(&exp, f32::NAN).is_nan());
    }

    #[test]
    fn signs_of_zero_survive() {
        let x = Ex::arg(0, DType::F32);
        for odd in [x.tanh(), x.erf()] {
            assert_eq!(
                at(&lowered(&odd.finish()), -0.0).to_bits(),
                (-0.0f32).to_bits()
            );
        }
    }

    #[test]
    fn a_swish_prints_as_straight_line_code() {
        let x = Ex::arg(0, DType::F32);
        let gate = (&x * 0.5 + 1.0).clamp(0.0, 1.0);
        insta::assert_snapshot!(lowered(&(&x * &gate).finish()), @"acc; 0.5; mul %0 %1; 1.0; add %2 %3; 0.0; max %5 %4; min %3 %6; mul %0 %7");
    }
}
