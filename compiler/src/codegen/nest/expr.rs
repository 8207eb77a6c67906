//! Scalar expressions as CLIF, on single elements or vectors of four.
//!
//! What has no vector form is not rejected instruction by instruction here: [`has_vector_form`] is asked before a loop is
//! vectorised. f32 functions of the runtime's table are the exception, they are called lane by lane.

use super::convert;
use super::value::{Ops, Pack, flags};
use cnnc_ir::DType;
use cnnc_ir::expr::{BinaryOp, ExprOp, Inst, ScalarExpr, UnaryOp};
use cnnc_runtime::{MathFn, MathSignature};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{AbiParam, InstBuilder, SigRef, Signature, Value};
use cranelift_codegen::isa::CallConv;
use std::collections::HashMap;

/// Evaluates expressions at the builder's current position.
pub struct Eval<'e, 'a, 'b> {
    pub ops: Ops<'a, 'b>,
    pub calls: &'e mut Calls,
}

/// What calls of the runtime's functions need, kept for the whole function.
pub struct Calls {
    /// Address of the table of functions.
    pub table: Value,
    /// Whether the processor can round floats to integers.
    pub rounding: bool,
    pub signatures: HashMap<MathSignature, SigRef>,
}

/// Whether every instruction works on vectors of four.
pub fn has_vector_form(expr: &ScalarExpr) -> bool {
    let dtype = |k: u32| expr.insts[k as usize].dtype;
    expr.insts.iter().all(|inst| {
        let word = matches!(inst.dtype, DType::F32 | DType::I32 | DType::U32);
        let float = matches!(inst.dtype, DType::F32 | DType::F64);
        match inst.op {
            ExprOp::Arg(_) | ExprOp::Lit(_) => word || float,
            ExprOp::Index(_) => false,
            ExprOp::Unary(op, a) => unary_has_vector_form(op, dtype(a)),
            ExprOp::Binary(op, a, _) => binary_has_vector_form(op, dtype(a)),
            ExprOp::Select(c, ..) => word && dtype(c) == DType::Bool,
            ExprOp::Cast(a) => convert::has_vector_form(dtype(a), inst.dtype),
            ExprOp::Bitcast(a) => word && matches!(dtype(a), DType::F32 | DType::I32 | DType::U32),
        }
    })
}

fn unary_has_vector_form(op: UnaryOp, dtype: DType) -> bool {
    use UnaryOp::{Abs, Ceil, Floor, IsInf, IsNan, Neg, Not, Round, Sign, Sqrt, Trunc};
    match (dtype, op) {
        (DType::F32, Not) => false,
        (DType::F32, _) => true,
        (DType::F64, Neg | Abs | Sqrt | Floor | Ceil | Round | Trunc) => true,
        (DType::I32, Neg | Not) | (DType::U32, Not) | (DType::Bool, Not) => true,
        (_, IsInf | IsNan | Sign) => false,
        _ => false,
    }
}

fn binary_has_vector_form(op: BinaryOp, dtype: DType) -> bool {
    use BinaryOp::{Add, And, Div, Eq, Le, Lt, Max, Min, Mul, Or, Pow, Rem, Sub, Xor};
    match dtype {
        DType::F32 => matches!(
            op,
            Add | Sub | Mul | Div | Max | Min | Eq | Lt | Le | Pow | Rem
        ),
        DType::F64 => matches!(op, Add | Sub | Mul | Div),
        DType::I32 => matches!(
            op,
            Add | Sub | Mul | And | Or | Xor | Eq | Lt | Le | Max | Min
        ),
        DType::U32 => matches!(op, Add | Sub | Mul | And | Or | Xor | Eq),
        DType::Bool => matches!(op, And | Or | Xor),
        _ => false,
    }
}

impl Eval<'_, '_, '_> {
    /// The value of an expression; `arg` and `index` give operands and counters.
    pub fn expr(
        &mut self,
        expr: &ScalarExpr,
        args: &[Pack],
        index: &dyn Fn(u32) -> Option<Value>,
    ) -> Pack {
        let mut values: Vec<Pack> = Vec::with_capacity(expr.insts.len());
        for inst in &expr.insts {
            let value = self.inst(inst, &values, args, index);
            values.push(value);
        }
        values.pop().unwrap_or_else(|| {
            self.ops
                .literal(DType::F32, cnnc_ir::expr::Literal::Float(0.0))
        })
    }

    fn inst(
        &mut self,
        inst: &Inst,
        values: &[Pack],
        args: &[Pack],
        index: &dyn Fn(u32) -> Option<Value>,
    ) -> Pack {
        let at = |k: u32| &values[k as usize];
        match inst.op {
            ExprOp::Arg(k) => self.convert(&args[k as usize], inst.dtype),
            ExprOp::Lit(value) => self.ops.literal(inst.dtype, value),
            ExprOp::Index(axis) => match index(axis) {
                Some(counter) => Pack::one(DType::I64, counter),
                None => self.ops.literal(DType::I64, cnnc_ir::expr::Literal::Int(0)),
            },
            ExprOp::Unary(op, a) => self.unary(op, at(a)),
            ExprOp::Binary(op, a, b) => self.binary(op, at(a), at(b)),
            ExprOp::Select(c, a, b) => {
                let condition = at(c).value();
                self.ops
                    .zip(at(a), at(b), |ops, a, b| ops.pick(condition, a, b))
            }
            ExprOp::Cast(a) => self.convert(at(a), inst.dtype),
            ExprOp::Bitcast(a) => self.bitcast(at(a), inst.dtype),
        }
    }

    fn bitcast(&mut self, a: &Pack, to: DType) -> Pack {
        let ty = if self.ops.lanes > 1 {
            super::value::vector_type(to)
        } else {
            super::value::scalar_type(to)
        };
        let bits = self.ops.map(a, |ops, v| ops.reinterpret(ty, v));
        // Types below 32 bits only change their sign.
        let parts = bits
            .parts
            .iter()
            .map(|&v| self.wrap_scalar(to, v))
            .collect();
        Pack { dtype: to, parts }
    }

    fn wrap_scalar(&mut self, dtype: DType, v: Value) -> Value {
        if self.ops.lanes > 1 {
            v
        } else {
            self.wrap(dtype, v)
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, a: &Pack) -> Pack {
        if a.dtype.is_float() {
            return self.unary_float(op, a);
        }
        let dtype = a.dtype;
        let mut bool_type = dtype;
        let parts = a
            .parts
            .iter()
            .map(|&v| {
                let value = match op {
                    UnaryOp::Neg => self.ops.builder.ins().ineg(v),
                    UnaryOp::Abs if dtype.is_signed() => {
                        let zero = self.ops.int_like(v, 0);
                        let negated = self.ops.builder.ins().ineg(v);
                        let negative = self.ops.compare_int(IntCC::SignedLessThan, v, zero);
                        self.ops.pick(negative, negated, v)
                    }
                    UnaryOp::Sign => self.int_sign(dtype, v),
                    UnaryOp::Not if dtype == DType::Bool => self.not(v),
                    UnaryOp::Not => self.ops.builder.ins().bnot(v),
                    UnaryOp::IsNan | UnaryOp::IsInf => {
                        bool_type = DType::Bool;
                        self.ops.builder.ins().iconst(I32, 0)
                    }
                    _ => v,
                };
                self.wrap_scalar(dtype, value)
            })
            .collect();
        Pack {
            dtype: bool_type,
            parts,
        }
    }

    fn not(&mut self, v: Value) -> Value {
        if self.ops.lanes > 1 {
            self.ops.builder.ins().bnot(v)
        } else {
            self.ops.builder.ins().bxor_imm_u(v, 1)
        }
    }

    fn int_sign(&mut self, dtype: DType, v: Value) -> Value {
        let zero = self.ops.int_like(v, 0);
        let one = self.ops.int_like(v, 1);
        let nonzero = self.ops.compare_int(IntCC::NotEqual, v, zero);
        let sign = self.ops.pick(nonzero, one, zero);
        if !dtype.is_signed() {
            return sign;
        }
        let minus = self.ops.int_like(v, -1);
        let negative = self.ops.compare_int(IntCC::SignedLessThan, v, zero);
        self.ops.pick(negative, minus, sign)
    }

    fn unary_float(&mut self, op: UnaryOp, a: &Pack) -> Pack {
        let dtype = if matches!(op, UnaryOp::IsNan | UnaryOp::IsInf) {
            DType::Bool
        } else {
            a.dtype
        };
        let parts = a.parts.iter().map(|&v| self.float_op(op, v)).collect();
        Pack { dtype, parts }
    }

    fn float_op(&mut self, op: UnaryOp, v: Value) -> Value {
        let single = self.ops.type_of(v).lane_type() == F32;
        let native = self.calls.rounding;
        match op {
            UnaryOp::Neg => self.ops.builder.ins().fneg(v),
            UnaryOp::Abs => self.ops.builder.ins().fabs(v),
            UnaryOp::Sqrt => self.ops.builder.ins().sqrt(v),
            UnaryOp::Floor if native => self.ops.builder.ins().floor(v),
            UnaryOp::Floor => self.ops.floor(v),
            UnaryOp::Ceil if native => self.ops.builder.ins().ceil(v),
            UnaryOp::Ceil => self.ops.ceil(v),
            UnaryOp::Trunc if native => self.ops.builder.ins().trunc(v),
            UnaryOp::Trunc => self.ops.trunc(v),
            UnaryOp::Round if native => self.ops.builder.ins().nearest(v),
            UnaryOp::Round => self.ops.nearest(v),
            UnaryOp::Sign => self.float_sign(v),
            UnaryOp::IsNan => self.ops.compare_float(FloatCC::Unordered, v, v),
            UnaryOp::IsInf => {
                let magnitude = self.ops.builder.ins().fabs(v);
                let infinity = self.ops.float_like(v, f64::INFINITY);
                self.ops.compare_float(FloatCC::Equal, magnitude, infinity)
            }
            UnaryOp::Exp if single => self.ops.exp_f32(v),
            UnaryOp::Tanh if single => self.ops.tanh_f32(v),
            UnaryOp::Log if single => self.ops.log_f32(v),
            UnaryOp::Erf if single => self.ops.erf_f32(v),
            // `Not` is no operation on floats.
            UnaryOp::Not => v,
            _ => self.call_lanes(table_function(op, single), &[v]),
        }
    }

    /// 1, 0, -1 or NaN.
    fn float_sign(&mut self, v: Value) -> Value {
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|c| self.ops.float_like(v, c));
        let sign = self.ops.pick_where(FloatCC::LessThan, (v, zero), minus, v);
        self.ops
            .pick_where(FloatCC::GreaterThan, (v, zero), one, sign)
    }

    /// Calls a function of the runtime's table with scalars.
    pub fn call(&mut self, function: MathFn, args: &[Value]) -> Value {
        let signature = function.signature();
        let builder = &mut *self.ops.builder;
        let sig = *self
            .calls
            .signatures
            .entry(signature)
            .or_insert_with(|| builder.import_signature(clif_signature(signature)));
        let entry = function as i32 * size_of::<usize>() as i32;
        let address = builder.ins().load(I64, flags(), self.calls.table, entry);
        let call = builder.ins().call_indirect(sig, address, args);
        builder.inst_results(call)[0]
    }

    /// Calls a function for every lane of its arguments.
    pub(super) fn call_lanes(&mut self, function: MathFn, args: &[Value]) -> Value {
        if self.ops.lanes == 1 {
            return self.call(function, args);
        }
        let mut result = args[0];
        for lane in 0..self.ops.type_of(result).lane_count() as u8 {
            let scalars: Vec<Value> = args
                .iter()
                .map(|&v| self.ops.builder.ins().extractlane(v, lane))
                .collect();
            let value = self.call(function, &scalars);
            result = self.ops.builder.ins().insertlane(result, value, lane);
        }
        result
    }
}

fn clif_signature(signature: MathSignature) -> Signature {
    let (params, result): (&[_], _) = match signature {
        MathSignature::F32 => (&[F32], F32),
        MathSignature::F64 => (&[F64], F64),
        MathSignature::F32F32 => (&[F32, F32], F32),
        MathSignature::F64F64 => (&[F64, F64], F64),
        MathSignature::BitsToF32 => (&[I32], F32),
        MathSignature::F32ToBits => (&[F32], I32),
    };
    let mut clif = Signature::new(CallConv::SystemV);
    clif.params = params.iter().map(|&t| AbiParam::new(t)).collect();
    clif.returns = vec![AbiParam::new(result)];
    clif
}

/// The runtime's function for an operation that has no instructions.
fn table_function(op: UnaryOp, single: bool) -> MathFn {
    macro_rules! pair {
        ($f32:ident, $f64:ident) => {
            if single { MathFn::$f32 } else { MathFn::$f64 }
        };
    }
    match op {
        UnaryOp::Log => pair!(LogF32, LogF64),
        UnaryOp::Sin => pair!(SinF32, SinF64),
        UnaryOp::Cos => pair!(CosF32, CosF64),
        UnaryOp::Tan => pair!(TanF32, TanF64),
        UnaryOp::Asin => pair!(AsinF32, AsinF64),
        UnaryOp::Acos => pair!(AcosF32, AcosF64),
        UnaryOp::Atan => pair!(AtanF32, AtanF64),
        UnaryOp::Sinh => pair!(SinhF32, SinhF64),
        UnaryOp::Cosh => pair!(CoshF32, CoshF64),
        UnaryOp::Tanh => pair!(TanhF32, TanhF64),
        UnaryOp::Asinh => pair!(AsinhF32, AsinhF64),
        UnaryOp::Acosh => pair!(AcoshF32, AcoshF64),
        UnaryOp::Atanh => pair!(AtanhF32, AtanhF64),
        UnaryOp::Erf => pair!(ErfF32, ErfF64),
        UnaryOp::Round => pair!(RoundHalfEvenF32, RoundHalfEvenF64),
        _ => pair!(ExpF32, ExpF64),
    }
}
