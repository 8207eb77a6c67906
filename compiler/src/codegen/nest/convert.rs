//! Conversions between element types, as `ScalarExpr` defines them: floats to integers truncate and saturate (NaN gives 0), integers
//! wrap, to bool is `!= 0`; half types are f32 values that have been rounded.

use super::expr::Eval;
use super::value::{Pack, scalar_type};
use cnnc_ir::DType;
use cnnc_runtime::MathFn;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I8, I8X16, I16, I32, I32X4, I64, Type};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Whether vectors can be converted.
pub fn has_vector_form(from: DType, to: DType) -> bool {
    use DType::{Bool, F32, F64, I32, U32};
    from == to
        || matches!(
            (from, to),
            (F32, F64) | (F64, F32) | (F32, I32) | (I32, F32) | (I32, U32) | (U32, I32)
        )
        || matches!(
            (from, to),
            (Bool, F32 | I32 | U32) | (F32 | I32 | U32, Bool)
        )
}

impl Eval<'_, '_, '_> {
    /// The value converted to `to`; half types yield the rounded value in f32.
    pub fn convert(&mut self, a: &Pack, to: DType) -> Pack {
        if a.dtype == to {
            return a.clone();
        }
        if self.ops.lanes > 1 {
            return self.convert_vector(a, to);
        }
        let value = self.convert_scalar(a.dtype, to, a.value());
        Pack::one(to.compute(), value)
    }

    fn convert_scalar(&mut self, from: DType, to: DType, v: Value) -> Value {
        match (from.is_float(), to.is_float()) {
            (_, true) if to.is_half() => {
                let single = self.convert_scalar(from, DType::F32, v);
                self.round_to_half(to, single)
            }
            (true, true) => match (scalar_type(from), scalar_type(to)) {
                (F32, F64) => self.ops.builder.ins().fpromote(F64, v),
                (F64, F32) => self.ops.builder.ins().fdemote(F32, v),
                _ => v,
            },
            (true, false) if to == DType::Bool => {
                let zero = self.ops.float_like(v, 0.0);
                self.ops.compare_float(FloatCC::NotEqual, v, zero)
            }
            (true, false) => self.float_to_int(to, v),
            (false, true) => self.int_to_float(from, scalar_type(to), v),
            (false, false) if to == DType::Bool => {
                let zero = self.ops.int_like(v, 0);
                self.ops.compare_int(IntCC::NotEqual, v, zero)
            }
            (false, false) => self.int_to_int(from, to, v),
        }
    }

    /// Truncates and saturates; types below 32 bits are clamped within i32.
    fn float_to_int(&mut self, to: DType, v: Value) -> Value {
        let ins = self.ops.builder.ins();
        match to {
            DType::I64 => ins.fcvt_to_sint_sat(I64, v),
            DType::U64 => ins.fcvt_to_uint_sat(I64, v),
            DType::U32 => ins.fcvt_to_uint_sat(I32, v),
            _ => {
                let wide = ins.fcvt_to_sint_sat(I32, v);
                let Some((lo, hi)) = to.int_range().filter(|_| to.size() < 4) else {
                    return wide;
                };
                let (lo, hi) = (
                    self.ops.int_like(wide, lo as i64),
                    self.ops.int_like(wide, hi as i64),
                );
                let below = self.ops.compare_int(IntCC::SignedLessThan, wide, lo);
                let wide = self.ops.pick(below, lo, wide);
                let above = self.ops.compare_int(IntCC::SignedGreaterThan, wide, hi);
                self.ops.pick(above, hi, wide)
            }
        }
    }

    fn int_to_float(&mut self, from: DType, to: Type, v: Value) -> Value {
        let ins = self.ops.builder.ins();
        match from {
            DType::U32 | DType::U64 => ins.fcvt_from_uint(to, v),
            _ => ins.fcvt_from_sint(to, v),
        }
    }

    fn int_to_int(&mut self, from: DType, to: DType, v: Value) -> Value {
        let (wide, target) = (scalar_type(from) == I64, scalar_type(to) == I64);
        let v = match (wide, target) {
            (false, true) if from.is_signed() => self.ops.builder.ins().sextend(I64, v),
            (false, true) => self.ops.builder.ins().uextend(I64, v),
            (true, false) => self.ops.builder.ins().ireduce(I32, v),
            _ => v,
        };
        self.wrap(to, v)
    }

    /// Brings an i32 back into the range of a type below 32 bits.
    pub fn wrap(&mut self, dtype: DType, v: Value) -> Value {
        let ins = self.ops.builder.ins();
        let narrow = match dtype {
            DType::I8 => I8,
            DType::I16 => I16,
            DType::U8 => return ins.band_imm_u(v, 0xff),
            DType::U16 => return ins.band_imm_u(v, 0xffff),
            _ => return v,
        };
        let low = ins.ireduce(narrow, v);
        self.ops.builder.ins().sextend(I32, low)
    }

    fn round_to_half(&mut self, to: DType, v: Value) -> Value {
        let bits = self.half_bits(to, v);
        self.half_value(to, bits)
    }

    /// The bits of an f32 rounded to a half type, in an i32.
    pub fn half_bits(&mut self, to: DType, v: Value) -> Value {
        let function = if to == DType::F16 {
            MathFn::F32ToF16
        } else {
            MathFn::F32ToBf16
        };
        self.call(function, &[v])
    }

    /// The f32 value of half-precision bits in an i32.
    pub fn half_value(&mut self, from: DType, bits: Value) -> Value {
        if from == DType::BF16 {
            // A bf16 is the upper half of an f32.
            let bits = self.ops.builder.ins().ishl_imm_u(bits, 16);
            return self.ops.reinterpret(F32, bits);
        }
        self.call(MathFn::F16ToF32, &[bits])
    }

    fn convert_vector(&mut self, a: &Pack, to: DType) -> Pack {
        use DType as D;
        let parts = match (a.dtype, to) {
            (D::F32, D::F64) => self.promote(a.value()),
            (D::F64, D::F32) => vec![self.demote(&a.parts)],
            (D::F32, D::I32) => {
                vec![self.ops.builder.ins().fcvt_to_sint_sat(I32X4, a.value())]
            }
            (D::I32, D::F32) => vec![self.ops.builder.ins().fcvt_from_sint(F32X4, a.value())],
            (D::Bool, _) => {
                let one = self.ops.literal(to, cnnc_ir::expr::Literal::Int(1)).value();
                let zero = self.ops.literal(to, cnnc_ir::expr::Literal::Int(0)).value();
                vec![self.ops.pick(a.value(), one, zero)]
            }
            (D::F32, D::Bool) => {
                let zero = self.ops.float_like(a.value(), 0.0);
                vec![self.ops.compare_float(FloatCC::NotEqual, a.value(), zero)]
            }
            (_, D::Bool) => {
                let zero = self.ops.int_like(a.value(), 0);
                vec![self.ops.compare_int(IntCC::NotEqual, a.value(), zero)]
            }
            // I32 and U32 share their bits; nothing else is vectorised (`has_vector_form`).
            _ => a.parts.clone(),
        };
        Pack { dtype: to, parts }
    }

    /// f32x4 to two f64x2.
    fn promote(&mut self, v: Value) -> Vec<Value> {
        let low = self.ops.builder.ins().fvpromote_low(v);
        let high = self.upper_half(v);
        let high = self.ops.builder.ins().fvpromote_low(high);
        vec![low, high]
    }

    /// Two f64x2 to f32x4.
    fn demote(&mut self, parts: &[Value]) -> Value {
        let low = self.ops.builder.ins().fvdemote(parts[0]);
        let high = self.ops.builder.ins().fvdemote(parts[1]);
        let (low, high) = (
            self.ops.reinterpret(F64X2, low),
            self.ops.reinterpret(F64X2, high),
        );
        let lane = self.ops.builder.ins().extractlane(high, 0);
        let both = self.ops.builder.ins().insertlane(low, lane, 1);
        self.ops.reinterpret(F32X4, both)
    }

    /// The upper 64 bits of an f32x4 in the place of the lower.
    fn upper_half(&mut self, v: Value) -> Value {
        let bytes = self.ops.reinterpret(I8X16, v);
        let mask: Vec<u8> = (0..16).map(|i| if i < 8 { i + 8 } else { i }).collect();
        let mask = self
            .ops
            .builder
            .func
            .dfg
            .immediates
            .push(cranelift_codegen::ir::ConstantData::from(mask.as_slice()));
        let moved = self.ops.builder.ins().shuffle(bytes, bytes, mask);
        self.ops.reinterpret(F32X4, moved)
    }
}
