//! Scalar expressions over blocks of elements: one instruction after the other, each over a whole block.

use super::Precision;
use super::array::{Array, Data, each, round_all, wrap_all};
use super::erf::erf;
use crate::expr::{BinaryOp, ExprOp, Literal, ScalarExpr, UnaryOp};
use crate::types::{DType, dense_strides};
use half::{bf16, f16};

/// Elements a block holds: small enough that the registers of an expression stay in cache.
const BLOCK: usize = 512;

/// `out[i] = expr(args[0][i], ...)`, all arguments of the output's shape.
pub fn evaluate(
    expr: &ScalarExpr,
    args: &[&Array],
    dtype: DType,
    shape: &[usize],
    precision: Precision,
) -> Array {
    let len = shape.iter().product();
    let mut out = if dtype.is_float() {
        Data::Float(Vec::with_capacity(len))
    } else {
        Data::Int(Vec::with_capacity(len))
    };
    let block = Block {
        args,
        shape,
        strides: dense_strides(shape),
        precision,
    };
    let mut start = 0;
    while start < len {
        let end = (start + BLOCK).min(len);
        let mut registers: Vec<Data> = Vec::with_capacity(expr.insts.len());
        for inst in &expr.insts {
            let value = block.instruction(inst.op, inst.dtype, &registers, expr, start..end);
            registers.push(value);
        }
        match (&mut out, registers.pop()) {
            (Data::Float(o), Some(Data::Float(v))) => o.extend(v),
            (Data::Int(o), Some(Data::Int(v))) => o.extend(v),
            (Data::Float(o), Some(Data::Int(v))) => o.extend(v.iter().map(|&v| v as f64)),
            (Data::Int(o), Some(Data::Float(v))) => o.extend(v.iter().map(|&v| v as i64)),
            (_, None) => {}
        }
        start = end;
    }
    Array::new(dtype, shape.to_vec(), out).rounded(precision)
}

struct Block<'a> {
    args: &'a [&'a Array],
    shape: &'a [usize],
    strides: Vec<usize>,
    precision: Precision,
}

impl Block<'_> {
    fn instruction(
        &self,
        op: ExprOp,
        dtype: DType,
        registers: &[Data],
        expr: &ScalarExpr,
        range: std::ops::Range<usize>,
    ) -> Data {
        let at = |i: u32| &registers[i as usize];
        let type_of = |i: u32| expr.insts[i as usize].dtype;
        let len = range.len();
        let mut value = match op {
            ExprOp::Arg(k) => return each!(&self.args[k as usize].data, v => v[range].to_vec()),
            ExprOp::Lit(Literal::Float(v)) if dtype.is_float() => Data::Float(vec![v; len]),
            ExprOp::Lit(Literal::Int(v)) if dtype.is_float() => Data::Float(vec![v as f64; len]),
            ExprOp::Lit(Literal::Float(v)) => Data::Int(vec![v as i64; len]),
            ExprOp::Lit(Literal::Int(v)) => Data::Int(vec![v; len]),
            ExprOp::Index(axis) => {
                let (stride, extent) = (self.strides[axis as usize], self.shape[axis as usize]);
                Data::Int(range.map(|i| (i / stride % extent) as i64).collect())
            }
            ExprOp::Unary(op, a) => unary(op, at(a), dtype),
            ExprOp::Binary(op, a, b) => binary(op, at(a), at(b), type_of(a)),
            ExprOp::Select(c, a, b) => select(at(c), at(a), at(b)),
            ExprOp::Cast(a) => cast(at(a), type_of(a), dtype, self.precision),
            ExprOp::Bitcast(a) => bitcast(at(a), type_of(a), dtype),
        };
        match &mut value {
            Data::Float(v) => round_all(v, dtype, self.precision),
            Data::Int(v) => wrap_all(v, dtype),
        }
        value
    }
}

fn unary(op: UnaryOp, a: &Data, dtype: DType) -> Data {
    match a {
        Data::Float(a) => {
            let map = |f: fn(f64) -> f64| Data::Float(a.iter().map(|&x| f(x)).collect());
            let test = |f: fn(f64) -> bool| Data::Int(a.iter().map(|&x| f(x).into()).collect());
            match op {
                UnaryOp::Neg => map(|x| -x),
                UnaryOp::Abs => map(f64::abs),
                UnaryOp::Sign => map(|x| {
                    if x == 0.0 || x.is_nan() {
                        x
                    } else {
                        x.signum()
                    }
                }),
                UnaryOp::Sqrt => map(f64::sqrt),
                UnaryOp::Floor => map(f64::floor),
                UnaryOp::Ceil => map(f64::ceil),
                UnaryOp::Round => map(f64::round_ties_even),
                UnaryOp::Trunc => map(f64::trunc),
                UnaryOp::Exp => map(f64::exp),
                UnaryOp::Log => map(f64::ln),
                UnaryOp::Sin => map(f64::sin),
                UnaryOp::Cos => map(f64::cos),
                UnaryOp::Tan => map(f64::tan),
                UnaryOp::Asin => map(f64::asin),
                UnaryOp::Acos => map(f64::acos),
                UnaryOp::Atan => map(f64::atan),
                UnaryOp::Sinh => map(f64::sinh),
                UnaryOp::Cosh => map(f64::cosh),
                UnaryOp::Tanh => map(f64::tanh),
                UnaryOp::Asinh => map(f64::asinh),
                UnaryOp::Acosh => map(f64::acosh),
                UnaryOp::Atanh => map(f64::atanh),
                UnaryOp::Erf => map(erf),
                UnaryOp::IsNan => test(f64::is_nan),
                UnaryOp::IsInf => test(f64::is_infinite),
                UnaryOp::Not => map(|x| f64::from(x == 0.0)),
            }
        }
        Data::Int(a) => {
            let map = |f: &dyn Fn(i64) -> i64| Data::Int(a.iter().map(|&x| f(x)).collect());
            match op {
                UnaryOp::Neg => map(&i64::wrapping_neg),
                UnaryOp::Abs if dtype == DType::U64 => map(&|x| x),
                UnaryOp::Abs => map(&i64::wrapping_abs),
                UnaryOp::Sign if dtype == DType::U64 => map(&|x| i64::from(x != 0)),
                UnaryOp::Sign => map(&i64::signum),
                UnaryOp::Not if dtype == DType::Bool => map(&|x| x ^ 1),
                UnaryOp::Not => map(&|x| !x),
                UnaryOp::Sqrt => map(&|x| (x as f64).sqrt() as i64),
                UnaryOp::IsNan | UnaryOp::IsInf => map(&|_| 0),
                // Rounding leaves integers as they are; transcendental functions are not defined on them.
                _ => map(&|x| x),
            }
        }
    }
}

fn binary(op: BinaryOp, a: &Data, b: &Data, dtype: DType) -> Data {
    match (a, b) {
        (Data::Float(a), Data::Float(b)) => binary_float(op, a, b),
        (Data::Int(a), Data::Int(b)) if dtype == DType::U64 => {
            Data::Int(zip(a, b, |x, y| unsigned(op, x as u64, y as u64)))
        }
        (Data::Int(a), Data::Int(b)) => {
            let bits = dtype.size() as i64 * 8;
            Data::Int(zip(a, b, |x, y| signed(op, x, y, bits)))
        }
        // Operands of one instruction have one type; the verifier refuses anything else.
        (Data::Float(_), Data::Int(_)) | (Data::Int(_), Data::Float(_)) => a.clone(),
    }
}

fn zip<T: Copy, U>(a: &[T], b: &[T], f: impl Fn(T, T) -> U) -> Vec<U> {
    a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect()
}

fn binary_float(op: BinaryOp, a: &[f64], b: &[f64]) -> Data {
    let test = |f: fn(f64, f64) -> bool| Data::Int(zip(a, b, |x, y| f(x, y).into()));
    Data::Float(match op {
        BinaryOp::Add => zip(a, b, |x, y| x + y),
        BinaryOp::Sub => zip(a, b, |x, y| x - y),
        BinaryOp::Mul => zip(a, b, |x, y| x * y),
        BinaryOp::Div => zip(a, b, |x, y| x / y),
        BinaryOp::Rem => zip(a, b, |x, y| x % y),
        BinaryOp::Mod => zip(a, b, |x, y| {
            let r = x % y;
            if r != 0.0 && (r < 0.0) != (y < 0.0) {
                r + y
            } else {
                r
            }
        }),
        BinaryOp::Pow => zip(a, b, f64::powf),
        BinaryOp::Max => zip(a, b, |x, y| if x.is_nan() || x > y { x } else { y }),
        BinaryOp::Min => zip(a, b, |x, y| if x.is_nan() || x < y { x } else { y }),
        BinaryOp::And => zip(a, b, |x, y| f64::from(x != 0.0 && y != 0.0)),
        BinaryOp::Or => zip(a, b, |x, y| f64::from(x != 0.0 || y != 0.0)),
        BinaryOp::Xor => zip(a, b, |x, y| f64::from((x != 0.0) != (y != 0.0))),
        BinaryOp::Shl => zip(a, b, |x, y| x * y.exp2()),
        BinaryOp::Shr => zip(a, b, |x, y| x / y.exp2()),
        BinaryOp::Eq => return test(|x, y| x == y),
        BinaryOp::Lt => return test(|x, y| x < y),
        BinaryOp::Le => return test(|x, y| x <= y),
    })
}

/// Integers other than u64 fit an i64; results are wrapped to their type afterwards.
fn signed(op: BinaryOp, x: i64, y: i64, bits: i64) -> i64 {
    match op {
        BinaryOp::Add => x.wrapping_add(y),
        BinaryOp::Sub => x.wrapping_sub(y),
        BinaryOp::Mul => x.wrapping_mul(y),
        BinaryOp::Div if y == 0 => 0,
        BinaryOp::Div => x.wrapping_div(y),
        BinaryOp::Rem | BinaryOp::Mod if y == 0 => 0,
        BinaryOp::Rem => x.wrapping_rem(y),
        BinaryOp::Mod => {
            let r = x.wrapping_rem(y);
            if r != 0 && (r < 0) != (y < 0) {
                r + y
            } else {
                r
            }
        }
        BinaryOp::Pow if y < 0 => match x {
            1 => 1,
            -1 if y % 2 == 0 => 1,
            -1 => -1,
            _ => 0,
        },
        BinaryOp::Pow => power(x, y as u64),
        BinaryOp::Max => x.max(y),
        BinaryOp::Min => x.min(y),
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        BinaryOp::Xor => x ^ y,
        BinaryOp::Shl | BinaryOp::Shr if !(0..bits).contains(&y) => 0,
        BinaryOp::Shl => x << y,
        BinaryOp::Shr => x >> y,
        BinaryOp::Eq => i64::from(x == y),
        BinaryOp::Lt => i64::from(x < y),
        BinaryOp::Le => i64::from(x <= y),
    }
}

fn unsigned(op: BinaryOp, x: u64, y: u64) -> i64 {
    match op {
        BinaryOp::Div => x.checked_div(y).unwrap_or(0) as i64,
        BinaryOp::Rem | BinaryOp::Mod => x.checked_rem(y).unwrap_or(0) as i64,
        BinaryOp::Pow => power(x as i64, y),
        BinaryOp::Max => x.max(y) as i64,
        BinaryOp::Min => x.min(y) as i64,
        BinaryOp::Shr => u32::try_from(y)
            .ok()
            .and_then(|y| x.checked_shr(y))
            .unwrap_or(0) as i64,
        BinaryOp::Lt => i64::from(x < y),
        BinaryOp::Le => i64::from(x <= y),
        _ => signed(op, x as i64, y as i64, 64),
    }
}

/// By squaring, modulo 2^64.
fn power(mut base: i64, mut exponent: u64) -> i64 {
    let mut result: i64 = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

fn select(c: &Data, a: &Data, b: &Data) -> Data {
    fn pick<T: Copy>(c: &[i64], a: &[T], b: &[T]) -> Vec<T> {
        c.iter()
            .zip(a.iter().zip(b))
            .map(|(&c, (&a, &b))| if c != 0 { a } else { b })
            .collect()
    }
    match (c, a, b) {
        (Data::Int(c), Data::Float(a), Data::Float(b)) => Data::Float(pick(c, a, b)),
        (Data::Int(c), Data::Int(a), Data::Int(b)) => Data::Int(pick(c, a, b)),
        // As for binary instructions: the verifier refuses mixed types.
        _ => a.clone(),
    }
}

fn cast(a: &Data, from: DType, to: DType, precision: Precision) -> Data {
    match a {
        Data::Float(a) if to.is_float() => Data::Float(a.clone()),
        Data::Float(a) if to == DType::Bool => {
            Data::Int(a.iter().map(|&v| i64::from(v != 0.0)).collect())
        }
        Data::Float(a) if to == DType::U64 => {
            Data::Int(a.iter().map(|&v| v as u64 as i64).collect())
        }
        Data::Float(a) => {
            let (low, high) = to.int_range().unwrap_or((0, 0));
            let (low, high) = (low as i64, high as i64);
            Data::Int(a.iter().map(|&v| (v as i64).clamp(low, high)).collect())
        }
        Data::Int(a) if !to.is_float() => Data::Int(a.clone()),
        // Straight to f32: a detour through f64 would round twice.
        Data::Int(a) if to == DType::F32 && precision == Precision::F32 => {
            Data::Float(match from {
                DType::U64 => a.iter().map(|&v| f64::from(v as u64 as f32)).collect(),
                _ => a.iter().map(|&v| f64::from(v as f32)).collect(),
            })
        }
        Data::Int(a) => Data::Float(match from {
            DType::U64 => a.iter().map(|&v| v as u64 as f64).collect(),
            _ => a.iter().map(|&v| v as f64).collect(),
        }),
    }
}

/// Floats give their bits in their own type, whatever the precision.
fn bitcast(a: &Data, from: DType, to: DType) -> Data {
    let bits: Vec<i64> = match a {
        Data::Int(a) => a.clone(),
        Data::Float(a) => a
            .iter()
            .map(|&v| match from {
                DType::F64 => v.to_bits() as i64,
                DType::F16 => i64::from(f16::from_f64(v).to_bits()),
                DType::BF16 => i64::from(bf16::from_f64(v).to_bits()),
                _ => i64::from((v as f32).to_bits()),
            })
            .collect(),
    };
    match to {
        DType::F32 => Data::Float(
            bits.iter()
                .map(|&b| f64::from(f32::from_bits(b as u32)))
                .collect(),
        ),
        DType::F64 => Data::Float(bits.iter().map(|&b| f64::from_bits(b as u64)).collect()),
        DType::F16 => Data::Float(
            bits.iter()
                .map(|&b| f16::from_bits(b as u16).to_f64())
                .collect(),
        ),
        DType::BF16 => Data::Float(
            bits.iter()
                .map(|&b| bf16::from_bits(b as u16).to_f64())
                .collect(),
        ),
        _ => Data::Int(bits),
    }
}
