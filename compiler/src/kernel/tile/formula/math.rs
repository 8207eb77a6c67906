//! Transcendental functions as formulas.
//!
//! The polynomials of `exp` and `tanh` are those of Cephes (Moshier, *Methods and Programs for Mathematical Functions*), those of
//! `erf` are Juffa's: within 2 ulp, `tanh` within 3, also where products are rounded before they are added.

use super::{Binary, Compare, Formula, Inst, Val};

/// `1.5 * 2^23`: adding it to a small f32 rounds that to an integer.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in two parts; products of the first with small integers are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

impl Formula {
    pub(super) fn push(&mut self, inst: Inst) -> Val {
        self.code.push(inst);
        (self.code.len() - 1) as Val
    }

    pub(super) fn constant(&mut self, value: f32) -> Val {
        self.push(Inst::Constant(value.into()))
    }

    pub(super) fn binary(&mut self, op: Binary, a: Val, b: Val) -> Val {
        self.push(Inst::Binary(op, a, b))
    }

    fn with_constant(&mut self, op: Binary, a: Val, c: f32) -> Val {
        let c = self.constant(c);
        self.binary(op, a, c)
    }

    fn mul_add(&mut self, a: Val, b: f32, c: Val) -> Val {
        let b = self.constant(b);
        self.push(Inst::MulAdd(a, b, c))
    }

    /// Horner's scheme, highest coefficient first.
    fn polynomial(&mut self, x: Val, coefficients: &[f32]) -> Val {
        let (first, rest) = (coefficients[0], &coefficients[1..]);
        let mut sum = self.constant(first);
        for &c in rest {
            let c = self.constant(c);
            sum = self.push(Inst::MulAdd(x, sum, c));
        }
        sum
    }

    pub(super) fn negative(&mut self, x: Val) -> Val {
        self.with_constant(Binary::Xor, x, -0.0)
    }

    pub(super) fn magnitude(&mut self, x: Val) -> Val {
        self.with_constant(Binary::And, x, f32::from_bits(0x7fff_ffff))
    }

    /// A non-negative `magnitude` (or NaN) with the sign of `sign`.
    fn copy_sign(&mut self, magnitude: Val, sign: Val) -> Val {
        let sign = self.with_constant(Binary::And, sign, -0.0);
        self.binary(Binary::Or, magnitude, sign)
    }

    /// `e^x`: `2^n * p(r)` with `n = round(x / ln 2)`, `r = x - n ln 2`. Overflows to infinity, underflows through the subnormals
    /// to zero.
    pub(super) fn exp(&mut self, x: Val) -> Val {
        // The constants come first: a NaN in x stays.
        let [high, low] = [89.0, -104.0].map(|c| self.constant(c));
        let x = self.binary(Binary::Min, high, x);
        let x = self.binary(Binary::Max, low, x);
        let round = self.constant(ROUND);
        let shifted = self.mul_add(x, std::f32::consts::LOG2_E, round);
        let n = self.with_constant(Binary::Sub, shifted, ROUND);
        let r = self.mul_add(n, -LN_2[0], x);
        let r = self.mul_add(n, -LN_2[1], r);
        let p = self.polynomial(
            r,
            &[
                1.987_569_1e-4,
                1.398_199_9e-3,
                8.333_452e-3,
                4.166_579_6e-2,
                1.666_666_5e-1,
                5e-1,
                1.0,
                1.0,
            ],
        );
        self.push(Inst::Scale(p, n))
    }

    /// `tanh x`: a polynomial near zero, `1 - 2 / (e^2|x| + 1)` with x's sign elsewhere.
    pub(super) fn tanh(&mut self, x: Val) -> Val {
        let t = self.magnitude(x);
        let doubled = self.binary(Binary::Add, t, t);
        let power = self.exp(doubled);
        let divisor = self.with_constant(Binary::Add, power, 1.0);
        let two = self.constant(-2.0);
        let quotient = self.binary(Binary::Div, two, divisor);
        let far = self.with_constant(Binary::Add, quotient, 1.0);
        let far = self.copy_sign(far, x);
        let square = self.binary(Binary::Mul, x, x);
        let p = self.polynomial(
            square,
            &[
                -5.704_988_6e-3,
                2.063_909e-2,
                -5.373_971_4e-2,
                1.333_144_2e-1,
                -3.333_328e-1,
            ],
        );
        // A factor of x, not an addend to it, keeps the sign of zero.
        let one = self.constant(1.0);
        let factor = self.push(Inst::MulAdd(p, square, one));
        let near = self.binary(Binary::Mul, factor, x);
        self.near_or_far(x, 0.625, near, far)
    }

    /// `erf x`: an odd polynomial near zero, `1 - e^-p(|x|)` with x's sign elsewhere.
    pub(super) fn erf(&mut self, x: Val) -> Val {
        let t = self.magnitude(x);
        let p = self.polynomial(
            t,
            &[
                -1.728_534_7e-5,
                3.831_972e-4,
                -3.883_964_4e-3,
                2.425_462_2e-2,
                -1.067_778_8e-1,
                -6.348_467e-1,
                -1.287_175_1e-1,
            ],
        );
        let negative = self.negative(t);
        let p = self.push(Inst::MulAdd(p, t, negative));
        let power = self.exp(p);
        let one = self.constant(1.0);
        let far = self.binary(Binary::Sub, one, power);
        let far = self.copy_sign(far, x);
        let square = self.binary(Binary::Mul, x, x);
        let q = self.polynomial(
            square,
            &[
                -5.967_617e-4,
                4.991_194e-3,
                -2.676_813_5e-2,
                1.128_199_2e-1,
                -3.761_253_4e-1,
                1.283_791_7e-1,
            ],
        );
        let near = self.push(Inst::MulAdd(q, x, x));
        self.near_or_far(x, 0.927_734_4, near, far)
    }

    fn near_or_far(&mut self, x: Val, limit: f32, near: Val, far: Val) -> Val {
        let t = self.magnitude(x);
        let limit = self.constant(limit);
        self.push(Inst::Select(Compare::Less, [t, limit, near, far]))
    }
}
