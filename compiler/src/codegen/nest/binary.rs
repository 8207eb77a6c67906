//! Two-operand instructions. Integer arithmetic never traps: see [`cnnc_ir::expr`] for what division by zero and wide shifts yield.

use super::expr::Eval;
use super::value::{Ops, Pack};
use cnnc_ir::DType;
use cnnc_ir::expr::BinaryOp;
use cnnc_runtime::MathFn;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::F32;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Eval<'_, '_, '_> {
    pub fn binary(&mut self, op: BinaryOp, a: &Pack, b: &Pack) -> Pack {
        let dtype = a.dtype;
        let pairs: Vec<_> = a
            .parts
            .iter()
            .copied()
            .zip(b.parts.iter().copied())
            .collect();
        let parts = pairs
            .into_iter()
            .map(|(a, b)| match dtype {
                _ if dtype.is_float() => self.float_binary(op, a, b),
                _ => self.int_binary(op, dtype, a, b),
            })
            .collect();
        let dtype = if op.is_comparison() {
            DType::Bool
        } else {
            dtype
        };
        Pack { dtype, parts }
    }

    fn float_binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let single = self.ops.type_of(a).lane_type() == F32;
        let ops = &mut self.ops;
        match op {
            BinaryOp::Add => ops.builder.ins().fadd(a, b),
            BinaryOp::Sub => ops.builder.ins().fsub(a, b),
            BinaryOp::Mul => ops.builder.ins().fmul(a, b),
            BinaryOp::Div => ops.builder.ins().fdiv(a, b),
            BinaryOp::Max => ops.extreme(true, a, b),
            BinaryOp::Min => ops.extreme(false, a, b),
            BinaryOp::Eq => ops.compare_float(FloatCC::Equal, a, b),
            BinaryOp::Lt => ops.compare_float(FloatCC::LessThan, a, b),
            BinaryOp::Le => ops.compare_float(FloatCC::LessThanOrEqual, a, b),
            BinaryOp::Rem => self.float_rem(single, a, b),
            BinaryOp::Mod => self.float_mod(single, a, b),
            _ => {
                let pow = if single {
                    MathFn::PowF32
                } else {
                    MathFn::PowF64
                };
                self.call_lanes(pow, &[a, b])
            }
        }
    }

    fn float_rem(&mut self, single: bool, a: Value, b: Value) -> Value {
        let fmod = if single {
            MathFn::FmodF32
        } else {
            MathFn::FmodF64
        };
        self.call_lanes(fmod, &[a, b])
    }

    /// The remainder, moved by `b` where it is not zero and its sign is not b's.
    fn float_mod(&mut self, single: bool, a: Value, b: Value) -> Value {
        let rem = self.float_rem(single, a, b);
        let zero = self.ops.float_like(rem, 0.0);
        let moved = self.ops.builder.ins().fadd(rem, b);
        let nonzero = self.ops.compare_float(FloatCC::NotEqual, rem, zero);
        let rem_negative = self.ops.compare_float(FloatCC::LessThan, rem, zero);
        let divisor_negative = self.ops.compare_float(FloatCC::LessThan, b, zero);
        let differ = self.ops.builder.ins().bxor(rem_negative, divisor_negative);
        let adjust = self.ops.builder.ins().band(nonzero, differ);
        self.ops.pick(adjust, moved, rem)
    }

    fn int_binary(&mut self, op: BinaryOp, dtype: DType, a: Value, b: Value) -> Value {
        let signed = dtype.is_signed();
        let condition = |s, u| if signed { s } else { u };
        let less = condition(IntCC::SignedLessThan, IntCC::UnsignedLessThan);
        let not_above = condition(IntCC::SignedLessThanOrEqual, IntCC::UnsignedLessThanOrEqual);
        let ops = &mut self.ops;
        let wide = match op {
            BinaryOp::Add => ops.builder.ins().iadd(a, b),
            BinaryOp::Sub => ops.builder.ins().isub(a, b),
            BinaryOp::Mul => ops.builder.ins().imul(a, b),
            BinaryOp::And => return ops.builder.ins().band(a, b),
            BinaryOp::Or => return ops.builder.ins().bor(a, b),
            BinaryOp::Xor => return ops.builder.ins().bxor(a, b),
            BinaryOp::Eq => return ops.compare_int(IntCC::Equal, a, b),
            BinaryOp::Lt => return ops.compare_int(less, a, b),
            BinaryOp::Le => return ops.compare_int(not_above, a, b),
            BinaryOp::Max => {
                let below = ops.compare_int(less, a, b);
                return ops.pick(below, b, a);
            }
            BinaryOp::Min => {
                let below = ops.compare_int(less, a, b);
                return ops.pick(below, a, b);
            }
            BinaryOp::Div => self.divide(signed, a, b, false),
            BinaryOp::Rem => self.divide(signed, a, b, true),
            BinaryOp::Mod => self.int_mod(signed, a, b),
            BinaryOp::Shl | BinaryOp::Shr => self.shift(op, dtype, a, b),
            BinaryOp::Pow => self.int_pow(signed, a, b),
        };
        if self.ops.lanes > 1 {
            wide
        } else {
            self.wrap(dtype, wide)
        }
    }

    /// Quotient or remainder, 0 for a zero divisor; the divisor -1, which may overflow, is a negation.
    fn divide(&mut self, signed: bool, a: Value, b: Value, remainder: bool) -> Value {
        let [zero, one, minus] = [0, 1, -1].map(|c| self.ops.int_like(b, c));
        let by_zero = self.ops.compare_int(IntCC::Equal, b, zero);
        let mut safe = self.ops.pick(by_zero, one, b);
        let by_minus = self.ops.compare_int(IntCC::Equal, b, minus);
        if signed {
            safe = self.ops.pick(by_minus, one, safe);
        }
        let ins = self.ops.builder.ins();
        let result = match (signed, remainder) {
            (true, false) => ins.sdiv(a, safe),
            (true, true) => ins.srem(a, safe),
            (false, false) => ins.udiv(a, safe),
            (false, true) => ins.urem(a, safe),
        };
        let result = if signed && !remainder {
            let negated = self.ops.builder.ins().ineg(a);
            self.ops.pick(by_minus, negated, result)
        } else {
            result
        };
        self.ops.pick(by_zero, zero, result)
    }

    fn int_mod(&mut self, signed: bool, a: Value, b: Value) -> Value {
        let rem = self.divide(signed, a, b, true);
        if !signed {
            return rem;
        }
        let zero = self.ops.int_like(rem, 0);
        let moved = self.ops.builder.ins().iadd(rem, b);
        let nonzero = self.ops.compare_int(IntCC::NotEqual, rem, zero);
        let signs = self.ops.builder.ins().bxor(rem, b);
        let differ = self.ops.compare_int(IntCC::SignedLessThan, signs, zero);
        let adjust = self.ops.builder.ins().band(nonzero, differ);
        self.ops.pick(adjust, moved, rem)
    }

    /// A count of the width or more gives 0.
    fn shift(&mut self, op: BinaryOp, dtype: DType, a: Value, b: Value) -> Value {
        let ins = self.ops.builder.ins();
        let shifted = match op {
            BinaryOp::Shl => ins.ishl(a, b),
            _ if dtype.is_signed() => ins.sshr(a, b),
            _ => ins.ushr(a, b),
        };
        let width = self.ops.int_like(b, 8 * dtype.size() as i64);
        let zero = self.ops.int_like(a, 0);
        let inside = self.ops.compare_int(IntCC::UnsignedLessThan, b, width);
        self.ops.pick(inside, shifted, zero)
    }

    /// Wrapping power by repeated squaring. A negative exponent gives the truncated reciprocal: 0 but for bases 1 and -1.
    fn int_pow(&mut self, signed: bool, base: Value, exponent: Value) -> Value {
        let ty = self.ops.type_of(base);
        let one = self.ops.int_like(base, 1);
        let zero = self.ops.int_like(base, 0);
        let builder = &mut *self.ops.builder;
        let (head, body, done) = (
            builder.create_block(),
            builder.create_block(),
            builder.create_block(),
        );
        let [b, e, r] = [ty; 3].map(|t| builder.append_block_param(head, t));
        let minus_one_power = builder.ins().band_imm_u(exponent, 1);
        builder
            .ins()
            .jump(head, &[base.into(), exponent.into(), one.into()]);
        builder.switch_to_block(head);
        let positive = if signed {
            builder.ins().icmp_imm_s(IntCC::SignedGreaterThan, e, 0)
        } else {
            builder.ins().icmp_imm_u(IntCC::NotEqual, e, 0)
        };
        builder.ins().brif(positive, body, &[], done, &[]);
        builder.switch_to_block(body);
        let odd = builder.ins().band_imm_u(e, 1);
        let product = builder.ins().imul(r, b);
        let next = builder.ins().select(odd, product, r);
        let square = builder.ins().imul(b, b);
        let half = builder.ins().ushr_imm_u(e, 1);
        builder
            .ins()
            .jump(head, &[square.into(), half.into(), next.into()]);
        builder.switch_to_block(done);
        if !signed {
            return r;
        }
        let minus = self.ops.int_like(base, -1);
        let is_one = self.ops.compare_int(IntCC::Equal, base, one);
        let is_minus = self.ops.compare_int(IntCC::Equal, base, minus);
        let alternating = self.ops.pick(minus_one_power, minus, one);
        let reciprocal = self.ops.pick(is_minus, alternating, zero);
        let reciprocal = self.ops.pick(is_one, one, reciprocal);
        let negative = self.ops.compare_int(IntCC::SignedLessThan, exponent, zero);
        self.ops.pick(negative, reciprocal, r)
    }
}

impl Ops<'_, '_> {
    /// Maximum or minimum, NaN where either operand is. Against a constant one comparison does: NaN fails it and is kept. The
    /// comparisons are written in the order in which the back end knows them as one instruction.
    pub fn extreme(&mut self, maximum: bool, a: Value, b: Value) -> Value {
        if self.is_number(b) {
            return self.pick_extreme(maximum, b, a);
        }
        if self.is_number(a) {
            return self.pick_extreme(maximum, a, b);
        }
        let ordered = self.pick_extreme(maximum, a, b);
        // Where `a` is NaN the comparison failed and gave `b`.
        self.pick_where(FloatCC::Unordered, (a, a), a, ordered)
    }

    /// `if x beats y { x } else { y }`.
    fn pick_extreme(&mut self, maximum: bool, x: Value, y: Value) -> Value {
        let order = if maximum { (y, x) } else { (x, y) };
        self.pick_where(FloatCC::LessThan, order, x, y)
    }

    /// Whether the value is a constant other than NaN.
    fn is_number(&self, value: Value) -> bool {
        use cranelift_codegen::ir::{InstructionData, ValueDef};
        let dfg = &self.builder.func.dfg;
        let ValueDef::Result(inst, _) = dfg.value_def(value) else {
            return false;
        };
        match dfg.insts[inst] {
            InstructionData::UnaryIeee32 { imm, .. } => !f32::from_bits(imm.bits()).is_nan(),
            InstructionData::Unary { arg, .. } => {
                // A splat of a constant.
                self.type_of(value).is_vector()
                    && !self.type_of(arg).is_vector()
                    && self.is_number(arg)
            }
            _ => false,
        }
    }
}
