//! Transcendental functions as straight-line code, the same for scalars and vectors, so that the tail of a loop has the bits its body
//! would have had.
//!
//! The polynomials of `exp`, `log` and `tanh` are those of Cephes (Moshier, *Methods and Programs for Mathematical Functions*), those of
//! `erf` are Juffa's: within 2 ulp, `tanh` within 3.

use super::value::Ops;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, I32, I32X4, Type};
use cranelift_codegen::ir::{InstBuilder, Value};

/// `1.5 * 2^23`: adding it to a small f32 rounds that to an integer, which then stands in the low bits.
const ROUND_F32: f64 = 12_582_912.0;
const ROUND_F32_BITS: i64 = 0x4b40_0000;

impl Ops<'_, '_> {
    fn mul_const(&mut self, a: Value, c: f64) -> Value {
        let c = self.float_like(a, c);
        self.builder.ins().fmul(a, c)
    }

    fn add_const(&mut self, a: Value, c: f64) -> Value {
        let c = self.float_like(a, c);
        self.builder.ins().fadd(a, c)
    }

    /// Horner's scheme, highest coefficient first.
    fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let mut sum = self.float_like(x, coefficients[0]);
        for &c in &coefficients[1..] {
            let product = self.builder.ins().fmul(sum, x);
            sum = self.add_const(product, c);
        }
        sum
    }

    fn int_type_like(&self, value: Value) -> Type {
        if self.type_of(value).is_vector() {
            I32X4
        } else {
            I32
        }
    }

    /// `2^n` for an integer n in -126..=127.
    fn power_of_two(&mut self, n: Value, float: Type) -> Value {
        let bias = self.int_like(n, 127);
        let biased = self.builder.ins().iadd(n, bias);
        let bits = self.builder.ins().ishl_imm_u(biased, 23);
        self.reinterpret(float, bits)
    }

    /// `e^x` for f32: `2^n * p(r)` with `n = round(x / ln 2)`, `r = x - n ln 2`. Overflows to infinity, underflows through the
    /// subnormals to zero.
    pub fn exp_f32(&mut self, x: Value) -> Value {
        let float = self.type_of(x);
        let high = self.float_like(x, 89.0);
        let low = self.float_like(x, -104.0);
        // Comparisons are false for NaN, which thus stays.
        let x = self.pick_where(FloatCC::GreaterThan, (x, high), high, x);
        let x = self.pick_where(FloatCC::LessThan, (x, low), low, x);
        let scaled = self.mul_const(x, std::f64::consts::LOG2_E);
        let shifted = self.add_const(scaled, ROUND_F32);
        let n = self.add_const(shifted, -ROUND_F32);
        let high_part = self.mul_const(n, 0.693_359_375);
        let low_part = self.mul_const(n, -2.121_944_4e-4);
        let r = self.builder.ins().fsub(x, high_part);
        let r = self.builder.ins().fsub(r, low_part);
        let p = self.polynomial(
            r,
            &[
                1.987_569_15e-4,
                1.398_199_950_7e-3,
                8.333_451_907_3e-3,
                4.166_579_589_4e-2,
                1.666_666_545_9e-1,
                5.000_000_120_1e-1,
            ],
        );
        let square = self.builder.ins().fmul(r, r);
        let p = self.builder.ins().fmul(p, square);
        let p = self.builder.ins().fadd(p, r);
        let p = self.add_const(p, 1.0);
        // Two factors, since 2^n alone may leave the range of normal numbers.
        let ints = self.int_type_like(x);
        let bits = self.reinterpret(ints, shifted);
        let origin = self.int_like(bits, ROUND_F32_BITS);
        let n = self.builder.ins().isub(bits, origin);
        let half = self.builder.ins().sshr_imm_u(n, 1);
        let rest = self.builder.ins().isub(n, half);
        let first = self.power_of_two(half, float);
        let second = self.power_of_two(rest, float);
        let p = self.builder.ins().fmul(p, first);
        self.builder.ins().fmul(p, second)
    }

    /// `tanh x` for f32: a polynomial near zero, `1 - 2 / (e^2|x| + 1)` with x's sign elsewhere.
    pub fn tanh_f32(&mut self, x: Value) -> Value {
        let magnitude = self.builder.ins().fabs(x);
        let doubled = self.builder.ins().fadd(magnitude, magnitude);
        let power = self.exp_f32(doubled);
        let divisor = self.add_const(power, 1.0);
        let two = self.float_like(x, 2.0);
        let quotient = self.builder.ins().fdiv(two, divisor);
        let one = self.float_like(x, 1.0);
        let far = self.builder.ins().fsub(one, quotient);
        let far = self.copy_sign(far, x);
        let square = self.builder.ins().fmul(x, x);
        let p = self.polynomial(
            square,
            &[
                -5.704_988_727_45e-3,
                2.063_908_879_54e-2,
                -5.373_971_555_31e-2,
                1.333_144_220_36e-1,
                -3.333_328_194_22e-1,
            ],
        );
        let p = self.builder.ins().fmul(p, square);
        let p = self.builder.ins().fmul(p, x);
        let near = self.builder.ins().fadd(p, x);
        let limit = self.float_like(x, 0.625);
        self.pick_where(FloatCC::LessThan, (magnitude, limit), near, far)
    }

    /// `ln x` for f32: `e ln 2 + ln m` with `x = 2^e m`, `m` in `sqrt(1/2)..sqrt(2)`, and a polynomial in `m - 1`.
    pub fn log_f32(&mut self, x: Value) -> Value {
        let float = self.type_of(x);
        let ints = self.int_type_like(x);
        // Subnormal numbers are made normal first.
        let tiny = self.float_like(x, f64::from(f32::MIN_POSITIVE));
        let scaled = self.mul_const(x, 8_388_608.0);
        let normal = self.pick_where(FloatCC::LessThan, (x, tiny), scaled, x);
        let bits = self.reinterpret(ints, normal);
        let exponent = self.builder.ins().ushr_imm_u(bits, 23);
        let exponent = self.builder.ins().fcvt_from_sint(float, exponent);
        let [unscaled, rescaled] = [-126.0, -149.0].map(|c| self.float_like(x, c));
        let origin = self.pick_where(FloatCC::LessThan, (x, tiny), rescaled, unscaled);
        let e = self.builder.ins().fadd(exponent, origin);
        let mask = self.int_like(bits, 0x007f_ffff);
        let half = self.int_like(bits, 0x3f00_0000);
        let m = self.builder.ins().band(bits, mask);
        let m = self.builder.ins().bor(m, half);
        let m = self.reinterpret(float, m);
        // m in 1/2..1: below sqrt(1/2) it is doubled.
        let limit = self.float_like(x, std::f64::consts::FRAC_1_SQRT_2);
        let doubled = self.builder.ins().fadd(m, m);
        let less = self.add_const(e, -1.0);
        let e = self.pick_where(FloatCC::LessThan, (m, limit), less, e);
        let m = self.pick_where(FloatCC::LessThan, (m, limit), doubled, m);
        let m = self.add_const(m, -1.0);
        let sum = self.log_of_one_plus(m, e);
        self.log_special(x, sum)
    }

    /// `ln(1 + m) + e ln 2` for `m` around 0.
    fn log_of_one_plus(&mut self, m: Value, e: Value) -> Value {
        let square = self.builder.ins().fmul(m, m);
        let p = self.polynomial(
            m,
            &[
                7.037_683_629_2e-2,
                -1.151_461_031e-1,
                1.167_699_874e-1,
                -1.242_014_084_6e-1,
                1.424_932_278_7e-1,
                -1.666_805_766_5e-1,
                2.000_071_476_5e-1,
                -2.499_999_399_3e-1,
                3.333_333_117_4e-1,
            ],
        );
        let p = self.builder.ins().fmul(p, m);
        let p = self.builder.ins().fmul(p, square);
        let low = self.mul_const(e, -2.121_944_4e-4);
        let p = self.builder.ins().fadd(p, low);
        let half = self.mul_const(square, 0.5);
        let p = self.builder.ins().fsub(p, half);
        let sum = self.builder.ins().fadd(m, p);
        let high = self.mul_const(e, 0.693_359_375);
        self.builder.ins().fadd(sum, high)
    }

    /// The logarithm where `x` is no positive finite number.
    fn log_special(&mut self, x: Value, result: Value) -> Value {
        let [zero, infinity, lowest, nan] =
            [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|c| self.float_like(x, c));
        let result = self.pick_where(FloatCC::Equal, (x, infinity), x, result);
        let result = self.pick_where(FloatCC::Equal, (x, zero), lowest, result);
        self.pick_where(FloatCC::UnorderedOrLessThan, (x, zero), nan, result)
    }

    /// `erf x` for f32: an odd polynomial near zero, `1 - e^-p(|x|)` with x's sign elsewhere.
    pub fn erf_f32(&mut self, x: Value) -> Value {
        let t = self.builder.ins().fabs(x);
        let p = self.polynomial(
            t,
            &[
                -1.728_534_7e-5,
                3.831_971_26e-4,
                -3.883_964_38e-3,
                2.425_462_19e-2,
                -1.067_778_77e-1,
                -6.348_466_87e-1,
                -1.287_175_12e-1,
                0.0,
            ],
        );
        let p = self.builder.ins().fsub(p, t);
        let power = self.exp_f32(p);
        let one = self.float_like(x, 1.0);
        let far = self.builder.ins().fsub(one, power);
        let far = self.copy_sign(far, x);
        let square = self.builder.ins().fmul(x, x);
        let q = self.polynomial(
            square,
            &[
                -5.967_617_03e-4,
                4.991_194_23e-3,
                -2.676_813_49e-2,
                1.128_199_25e-1,
                -3.761_253_36e-1,
                1.283_791_66e-1,
            ],
        );
        let q = self.builder.ins().fmul(q, x);
        let near = self.builder.ins().fadd(q, x);
        let limit = self.float_like(x, 0.927_734_375);
        self.pick_where(FloatCC::LessThan, (t, limit), near, far)
    }

    /// A non-negative `magnitude` (or NaN) with the sign of `sign`.
    fn copy_sign(&mut self, magnitude: Value, sign: Value) -> Value {
        let float = self.type_of(sign);
        let ints = float.as_int();
        let (magnitude, sign) = (
            self.reinterpret(ints, magnitude),
            self.reinterpret(ints, sign),
        );
        let zero = self.float_like_type(float, -0.0);
        let mask = self.reinterpret(ints, zero);
        let sign = self.builder.ins().band(sign, mask);
        let bits = self.builder.ins().bor(magnitude, sign);
        self.reinterpret(float, bits)
    }

    /// To the nearest integer, halves to even, without a rounding instruction: adding `2^(mantissa bits)` to a smaller magnitude
    /// rounds it; larger ones are integers already, NaN stays.
    pub fn nearest(&mut self, x: Value) -> Value {
        let limit = if self.type_of(x).lane_type() == F32 {
            8_388_608.0
        } else {
            4_503_599_627_370_496.0
        };
        let magnitude = self.builder.ins().fabs(x);
        let shifted = self.add_const(magnitude, limit);
        let rounded = self.add_const(shifted, -limit);
        let rounded = self.copy_sign(rounded, x);
        let limit = self.float_like(x, limit);
        self.pick_where(FloatCC::LessThan, (magnitude, limit), rounded, x)
    }

    /// The largest integer not above `x`.
    pub fn floor(&mut self, x: Value) -> Value {
        let near = self.nearest(x);
        let below = self.add_const(near, -1.0);
        let down = self.pick_where(FloatCC::GreaterThan, (near, x), below, near);
        self.keep_sign_of_zero(down, x)
    }

    /// The smallest integer not below `x`.
    pub fn ceil(&mut self, x: Value) -> Value {
        let near = self.nearest(x);
        let above = self.add_const(near, 1.0);
        let up = self.pick_where(FloatCC::LessThan, (near, x), above, near);
        self.keep_sign_of_zero(up, x)
    }

    /// Towards zero.
    pub fn trunc(&mut self, x: Value) -> Value {
        let magnitude = self.builder.ins().fabs(x);
        let down = self.floor(magnitude);
        let down = self.copy_sign(down, x);
        // A NaN keeps its bits.
        self.pick_where(FloatCC::Equal, (x, x), down, x)
    }

    /// A result of zero takes the sign of `x`.
    fn keep_sign_of_zero(&mut self, result: Value, x: Value) -> Value {
        let zero = self.float_like(x, 0.0);
        let signed = self.copy_sign(zero, x);
        self.pick_where(FloatCC::Equal, (result, zero), signed, result)
    }
}
