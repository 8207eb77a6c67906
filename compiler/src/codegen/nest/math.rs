//! Transcendental functions as straight-line code, the same for scalars and vectors, so that the tail of a loop has the bits its body
//! would have had.
//!
//! The polynomials are those of Cephes (Moshier, *Methods and Programs for Mathematical Functions*): within 2 ulp for `exp`, 3 ulp
//! for `tanh`.

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
