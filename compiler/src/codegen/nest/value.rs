//! Values during code generation: one element, or a vector of them, with its type.
//!
//! A [`Pack`] holds `lanes` elements. A scalar is one CLIF value: integers below 32 bits are held extended in an i32, half types as
//! f32, bool as an i32 of 0 or 1. A pack of four is one 128-bit vector of 32-bit elements, or two of 64-bit ones; bool is a mask.
//! A pack of a copy nest is one 128-bit vector of whatever it copies.

use cnnc_ir::DType;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{
    F32, F32X4, F64, F64X2, I8X16, I16X8, I32, I32X4, I64, I64X2, Type,
};
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Value};
use cranelift_frontend::FunctionBuilder;

/// Elements of one type; see the module's head.
#[derive(Clone, Debug)]
pub struct Pack {
    pub dtype: DType,
    pub parts: Vec<Value>,
}

impl Pack {
    pub fn one(dtype: DType, value: Value) -> Pack {
        Pack {
            dtype,
            parts: vec![value],
        }
    }

    /// The only value of a scalar or of a one-register vector.
    pub fn value(&self) -> Value {
        self.parts[0]
    }
}

/// Accesses never trap, but nothing promises more alignment than an element's.
pub fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The register type of a scalar.
pub fn scalar_type(dtype: DType) -> Type {
    match dtype.compute() {
        DType::F32 => F32,
        DType::F64 => F64,
        DType::I64 | DType::U64 => I64,
        _ => I32,
    }
}

/// The register type of a vector part.
pub fn vector_type(dtype: DType) -> Type {
    match dtype {
        DType::F32 => F32X4,
        DType::F64 => F64X2,
        DType::I64 | DType::U64 => I64X2,
        DType::I32 | DType::U32 | DType::Bool => I32X4,
        DType::I16 | DType::U16 | DType::F16 | DType::BF16 => I16X8,
        DType::I8 | DType::U8 => I8X16,
    }
}

/// CLIF building blocks on values of either width; `lanes` is 1 for scalars.
pub struct Ops<'a, 'b> {
    pub builder: &'a mut FunctionBuilder<'b>,
    pub lanes: usize,
}

impl Ops<'_, '_> {
    pub fn type_of(&self, value: Value) -> Type {
        self.builder.func.dfg.value_type(value)
    }

    /// Number of registers a pack of that type takes.
    pub fn parts(&self, dtype: DType) -> usize {
        match self.lanes {
            1 => 1,
            lanes => (lanes * dtype.compute().size()).div_ceil(16).max(1),
        }
    }

    /// A float constant of the type of `like`.
    pub fn float_like(&mut self, like: Value, value: f64) -> Value {
        let ty = self.type_of(like);
        self.float_like_type(ty, value)
    }

    /// A float constant of that type.
    pub fn float_like_type(&mut self, ty: Type, value: f64) -> Value {
        let scalar = match ty.lane_type() {
            F32 => self.builder.ins().f32const(value as f32),
            _ => self.builder.ins().f64const(value),
        };
        self.spread(ty, scalar)
    }

    /// An integer constant of the type of `like`.
    pub fn int_like(&mut self, like: Value, value: i64) -> Value {
        let ty = self.type_of(like);
        let lane = ty.lane_type();
        let bits = if lane == I32 {
            i64::from(value as u32)
        } else {
            value
        };
        let scalar = self.builder.ins().iconst(lane, bits);
        self.spread(ty, scalar)
    }

    fn spread(&mut self, ty: Type, scalar: Value) -> Value {
        if ty.is_vector() {
            self.builder.ins().splat(ty, scalar)
        } else {
            scalar
        }
    }

    /// A literal as a pack.
    pub fn literal(&mut self, dtype: DType, value: cnnc_ir::expr::Literal) -> Pack {
        use cnnc_ir::expr::Literal;
        let compute = dtype.compute();
        let scalar = match (scalar_type(compute), value) {
            (F32, v) => self.builder.ins().f32const(v.as_f64() as f32),
            (F64, v) => self.builder.ins().f64const(v.as_f64()),
            (ty, v) => {
                let v = match v {
                    Literal::Int(v) => v,
                    Literal::Float(v) => v as i64,
                };
                let v = match compute {
                    DType::Bool => i64::from(v != 0),
                    DType::I8 => i64::from(v as i8),
                    DType::U8 => i64::from(v as u8),
                    DType::I16 => i64::from(v as i16),
                    DType::U16 => i64::from(v as u16),
                    _ => v,
                };
                let bits = if ty == I32 { i64::from(v as u32) } else { v };
                self.builder.ins().iconst(ty, bits)
            }
        };
        self.broadcast(Pack::one(compute, scalar))
    }

    /// A scalar pack in every lane.
    pub fn broadcast(&mut self, scalar: Pack) -> Pack {
        if self.lanes == 1 {
            return scalar;
        }
        let count = self.parts(scalar.dtype);
        let mut value = scalar.value();
        if scalar.dtype == DType::Bool {
            value = self.builder.ins().ineg(value);
        }
        let ty = vector_type(scalar.dtype);
        let vector = self.builder.ins().splat(ty, value);
        Pack {
            dtype: scalar.dtype,
            parts: vec![vector; count],
        }
    }

    /// Applies `f` to every register of `a`.
    pub fn map(&mut self, a: &Pack, mut f: impl FnMut(&mut Self, Value) -> Value) -> Pack {
        let parts = a.parts.iter().map(|&v| f(self, v)).collect();
        Pack {
            dtype: a.dtype,
            parts,
        }
    }

    /// Applies `f` to the registers of `a` and `b` pairwise.
    pub fn zip(
        &mut self,
        a: &Pack,
        b: &Pack,
        mut f: impl FnMut(&mut Self, Value, Value) -> Value,
    ) -> Pack {
        let pairs = a.parts.iter().zip(&b.parts);
        let parts = pairs.map(|(&a, &b)| f(self, a, b)).collect();
        Pack {
            dtype: a.dtype,
            parts,
        }
    }

    /// The same bits as another type of equal size.
    pub fn reinterpret(&mut self, ty: Type, value: Value) -> Value {
        if self.type_of(value) == ty {
            return value;
        }
        let flags = if ty.is_vector() {
            MemFlagsData::new().with_endianness(Endianness::Little)
        } else {
            MemFlagsData::new()
        };
        self.builder.ins().bitcast(ty, flags, value)
    }

    /// A comparison as bool: 0 or 1, or a mask.
    pub fn compare_float(&mut self, condition: FloatCC, a: Value, b: Value) -> Value {
        let flag = self.builder.ins().fcmp(condition, a, b);
        self.truth(flag)
    }

    /// A comparison as bool: 0 or 1, or a mask.
    pub fn compare_int(&mut self, condition: IntCC, a: Value, b: Value) -> Value {
        let flag = self.builder.ins().icmp(condition, a, b);
        self.truth(flag)
    }

    fn truth(&mut self, flag: Value) -> Value {
        if self.type_of(flag).is_vector() {
            flag
        } else {
            self.builder.ins().uextend(I32, flag)
        }
    }

    /// `if condition { a } else { b }` in every lane.
    pub fn pick(&mut self, condition: Value, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        if ty.is_vector() {
            let mask = self.reinterpret(ty, condition);
            self.builder.ins().bitselect(mask, a, b)
        } else {
            self.builder.ins().select(condition, a, b)
        }
    }

    /// Whether floats are compared with this condition and `a` where it holds: `pick(fcmp(a, b), c, d)` kept in one expression
    /// so that the back end can see a minimum or maximum.
    pub fn pick_where(
        &mut self,
        condition: FloatCC,
        (a, b): (Value, Value),
        then: Value,
        otherwise: Value,
    ) -> Value {
        let flag = self.builder.ins().fcmp(condition, a, b);
        self.pick(flag, then, otherwise)
    }
}
