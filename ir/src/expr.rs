//! Scalar expressions: what an elementwise operator computes for one element.
//!
//! A [`ScalarExpr`] is straight-line code in SSA form (so sharing costs nothing, however deep a fused chain grows); evaluation,
//! vector code and the derivative all come from it. Operators write it with [`Ex`], which overloads the arithmetic operators.
//!
//! Types: an argument of a half type is widened to f32 when loaded, and the result is rounded when stored, so no instruction but
//! `Cast` names a half type (a cast to f16 rounds to f16 and yields that value as f32). Integers wrap. Integer division truncates
//! and yields 0 for a zero divisor. `Max` and `Min` propagate NaN, comparisons with NaN are false.

use crate::types::DType;
use std::collections::HashMap;
use std::fmt;
use std::ops;
use std::rc::Rc;

/// One-operand instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnaryOp {
    Neg,
    Abs,
    Sign,
    Sqrt,
    Floor,
    Ceil,
    /// To the nearest integer, halves to even.
    Round,
    Trunc,
    Exp,
    Log,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Erf,
    IsNan,
    IsInf,
    /// Complement: logical for bool, bitwise for integers.
    Not,
}

/// Two-operand instructions; both operands have one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    /// Remainder with the sign of the dividend (C's `fmod` and `%`).
    Rem,
    /// Remainder with the sign of the divisor (Python's `%`).
    Mod,
    Pow,
    Max,
    Min,
    And,
    Or,
    Xor,
    /// Shifts; a count of the width or more gives 0.
    Shl,
    Shr,
    Eq,
    Lt,
    Le,
}

impl UnaryOp {
    pub const ALL: [UnaryOp; 26] = {
        use UnaryOp::*;
        [
            Neg, Abs, Sign, Sqrt, Floor, Ceil, Round, Trunc, Exp, Log, Sin, Cos, Tan, Asin, Acos,
            Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, IsNan, IsInf, Not,
        ]
    };
    /// The name in the text form: the variant's, in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
    pub fn from_name(name: &str) -> Option<UnaryOp> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }
}

impl BinaryOp {
    pub const ALL: [BinaryOp; 17] = {
        use BinaryOp::*;
        [
            Add, Sub, Mul, Div, Rem, Mod, Pow, Max, Min, And, Or, Xor, Shl, Shr, Eq, Lt, Le,
        ]
    };
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
    pub fn from_name(name: &str) -> Option<BinaryOp> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }
    pub fn is_comparison(self) -> bool {
        matches!(self, BinaryOp::Eq | BinaryOp::Lt | BinaryOp::Le)
    }
}

/// A literal; floats are compared by their bits so that expressions can be hashed.
#[derive(Clone, Copy, Debug)]
pub enum Literal {
    Float(f64),
    Int(i64),
}

impl Literal {
    fn key(self) -> (bool, u64) {
        match self {
            Literal::Float(v) => (true, v.to_bits()),
            Literal::Int(v) => (false, v as u64),
        }
    }
    pub fn as_f64(self) -> f64 {
        match self {
            Literal::Float(v) => v,
            Literal::Int(v) => v as f64,
        }
    }
}
impl PartialEq for Literal {
    fn eq(&self, o: &Literal) -> bool {
        self.key() == o.key()
    }
}
impl Eq for Literal {}
impl std::hash::Hash for Literal {
    fn hash<H: std::hash::Hasher>(&self, h: &mut H) {
        self.key().hash(h);
    }
}

/// What an instruction does; operands are numbers of earlier instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExprOp {
    /// Element of operand number `k`.
    Arg(u32),
    Lit(Literal),
    /// Coordinate of the element along an output axis (i64).
    Index(u32),
    Unary(UnaryOp, u32),
    Binary(BinaryOp, u32, u32),
    /// `if c { a } else { b }`.
    Select(u32, u32, u32),
    /// Value conversion: floats to integers truncate and saturate (NaN gives 0), integers wrap, to bool is `!= 0`.
    Cast(u32),
    /// The same bits under another type of the same size.
    Bitcast(u32),
}

/// One instruction and the type of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inst {
    pub op: ExprOp,
    pub dtype: DType,
}

/// Straight-line code; the last instruction is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScalarExpr {
    pub insts: Vec<Inst>,
}

impl ScalarExpr {
    /// Type of the result (a half type where the last instruction is a cast to one).
    pub fn dtype(&self) -> DType {
        self.insts.last().map_or(DType::F32, |i| i.dtype)
    }

    /// One more than the highest argument number.
    pub fn args(&self) -> usize {
        self.insts
            .iter()
            .map(|i| {
                if let ExprOp::Arg(k) = i.op {
                    k as usize + 1
                } else {
                    0
                }
            })
            .max()
            .unwrap_or(0)
    }

    /// The expression as a handle, with argument `k` replaced by `args[k]`: composition of expressions.
    pub fn apply(&self, args: &[Ex]) -> Ex {
        let mut values: Vec<Ex> = Vec::with_capacity(self.insts.len());
        for inst in &self.insts {
            let at = |i: u32| values[i as usize].clone();
            let node = match inst.op {
                ExprOp::Arg(k) => {
                    values.push(args[k as usize].clone());
                    continue;
                }
                ExprOp::Lit(l) => ExNode::Lit(l),
                ExprOp::Index(a) => ExNode::Index(a),
                ExprOp::Unary(o, a) => ExNode::Unary(o, at(a)),
                ExprOp::Binary(o, a, b) => ExNode::Binary(o, at(a), at(b)),
                ExprOp::Select(c, a, b) => ExNode::Select(at(c), at(a), at(b)),
                ExprOp::Cast(a) => ExNode::Cast(at(a)),
                ExprOp::Bitcast(a) => ExNode::Bitcast(at(a)),
            };
            values.push(Ex {
                node: Rc::new(node),
                dtype: inst.dtype,
            });
        }
        values
            .pop()
            .expect("an expression has at least one instruction")
    }
}

/// A handle on an expression under construction.
#[derive(Clone, Debug)]
pub struct Ex {
    node: Rc<ExNode>,
    dtype: DType,
}

#[derive(Debug)]
enum ExNode {
    Arg(u32),
    Lit(Literal),
    Index(u32),
    Unary(UnaryOp, Ex),
    Binary(BinaryOp, Ex, Ex),
    Select(Ex, Ex, Ex),
    Cast(Ex),
    Bitcast(Ex),
}

impl Ex {
    fn new(node: ExNode, dtype: DType) -> Ex {
        Ex {
            node: Rc::new(node),
            dtype,
        }
    }

    /// Operand `k` of that type; half types arrive as f32.
    pub fn arg(k: usize, dtype: DType) -> Ex {
        Ex::new(ExNode::Arg(k as u32), dtype.compute())
    }
    /// Coordinate along output axis `axis`, i64.
    pub fn index(axis: usize) -> Ex {
        Ex::new(ExNode::Index(axis as u32), DType::I64)
    }
    pub fn float(dtype: DType, v: f64) -> Ex {
        if dtype.is_float() {
            Ex::new(ExNode::Lit(Literal::Float(v)), dtype.compute())
        } else {
            Ex::int(dtype, v as i64)
        }
    }
    pub fn int(dtype: DType, v: i64) -> Ex {
        if dtype.is_float() {
            Ex::float(dtype, v as f64)
        } else {
            Ex::new(ExNode::Lit(Literal::Int(v)), dtype)
        }
    }
    /// A literal of this expression's type.
    pub fn lit(&self, v: f64) -> Ex {
        Ex::float(self.dtype, v)
    }
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn unary(&self, op: UnaryOp) -> Ex {
        let dtype = if matches!(op, UnaryOp::IsNan | UnaryOp::IsInf) {
            DType::Bool
        } else {
            self.dtype.compute()
        };
        Ex::new(ExNode::Unary(op, self.clone()), dtype)
    }
    pub fn binary(&self, op: BinaryOp, other: &Ex) -> Ex {
        debug_assert_eq!(
            self.dtype.compute(),
            other.dtype.compute(),
            "operands of {op:?}"
        );
        let dtype = if op.is_comparison() {
            DType::Bool
        } else {
            self.dtype.compute()
        };
        Ex::new(ExNode::Binary(op, self.clone(), other.clone()), dtype)
    }
    /// `if self { a } else { b }`.
    pub fn select(&self, a: &Ex, b: &Ex) -> Ex {
        Ex::new(
            ExNode::Select(self.clone(), a.clone(), b.clone()),
            a.dtype.compute(),
        )
    }
    pub fn cast(&self, dtype: DType) -> Ex {
        if dtype == self.dtype {
            self.clone()
        } else {
            Ex::new(ExNode::Cast(self.clone()), dtype)
        }
    }
    pub fn bitcast(&self, dtype: DType) -> Ex {
        if dtype == self.dtype {
            self.clone()
        } else {
            Ex::new(ExNode::Bitcast(self.clone()), dtype)
        }
    }

    pub fn neg(&self) -> Ex {
        self.unary(UnaryOp::Neg)
    }
    pub fn abs(&self) -> Ex {
        self.unary(UnaryOp::Abs)
    }
    pub fn exp(&self) -> Ex {
        self.unary(UnaryOp::Exp)
    }
    pub fn log(&self) -> Ex {
        self.unary(UnaryOp::Log)
    }
    pub fn sqrt(&self) -> Ex {
        self.unary(UnaryOp::Sqrt)
    }
    pub fn tanh(&self) -> Ex {
        self.unary(UnaryOp::Tanh)
    }
    pub fn erf(&self) -> Ex {
        self.unary(UnaryOp::Erf)
    }
    pub fn floor(&self) -> Ex {
        self.unary(UnaryOp::Floor)
    }
    pub fn ceil(&self) -> Ex {
        self.unary(UnaryOp::Ceil)
    }
    pub fn round(&self) -> Ex {
        self.unary(UnaryOp::Round)
    }
    pub fn not(&self) -> Ex {
        self.unary(UnaryOp::Not)
    }
    pub fn is_nan(&self) -> Ex {
        self.unary(UnaryOp::IsNan)
    }
    pub fn max(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Max, o)
    }
    pub fn min(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Min, o)
    }
    pub fn pow(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Pow, o)
    }
    pub fn and(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::And, o)
    }
    pub fn or(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Or, o)
    }
    pub fn eq(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Eq, o)
    }
    pub fn lt(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Lt, o)
    }
    pub fn le(&self, o: &Ex) -> Ex {
        self.binary(BinaryOp::Le, o)
    }
    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(&self) -> Ex {
        self.lit(1.0) / (self.neg().exp() + 1.0)
    }
    /// Limits to `[lo, hi]`, NaN stays.
    pub fn clamp(&self, lo: f64, hi: f64) -> Ex {
        self.max(&self.lit(lo)).min(&self.lit(hi))
    }

    /// A random number of `[0, 1)` in steps of 2^-24, f32, for every position of a result of that shape: a hash of the position and
    /// of `start`, a u32 (MurmurHash3's finaliser).
    pub fn uniform(shape: &[usize], start: &Ex) -> Ex {
        let u32_of = |v: u32| Ex::int(DType::U32, v.into());
        let mut position = Ex::int(DType::I64, 0);
        for (axis, &extent) in shape.iter().enumerate() {
            position = position * &Ex::int(DType::I64, extent as i64) + Ex::index(axis);
        }
        let mix =
            |h: &Ex, shift: u32| h.binary(BinaryOp::Xor, &h.binary(BinaryOp::Shr, &u32_of(shift)));
        let h = position.cast(DType::U32) * &u32_of(0x9e37_79b1) + start;
        let h = mix(&h, 16) * &u32_of(0x85eb_ca6b);
        let h = mix(&h, 13) * &u32_of(0xc2b2_ae35);
        let h = mix(&h, 16).binary(BinaryOp::Shr, &u32_of(8));
        // Below 2^24 the signed conversion is the same, and every target has it.
        h.cast(DType::I32).cast(DType::F32) * f64::from(2f32.powi(-24))
    }

    /// The straight-line code, common subexpressions shared.
    pub fn finish(&self) -> ScalarExpr {
        let mut code = Flatten {
            insts: Vec::new(),
            seen: HashMap::new(),
            done: HashMap::new(),
        };
        code.visit(self);
        ScalarExpr { insts: code.insts }
    }
}

struct Flatten {
    insts: Vec<Inst>,
    seen: HashMap<Inst, u32>,
    done: HashMap<*const ExNode, u32>,
}

impl Flatten {
    /// Post-order without recursion: fused chains may be deep.
    fn visit(&mut self, root: &Ex) {
        let mut stack = vec![(root.clone(), false)];
        while let Some((ex, ready)) = stack.pop() {
            let key = Rc::as_ptr(&ex.node);
            if self.done.contains_key(&key) {
                continue;
            }
            if !ready {
                stack.push((ex.clone(), true));
                match &*ex.node {
                    ExNode::Unary(_, a) | ExNode::Cast(a) | ExNode::Bitcast(a) => {
                        stack.push((a.clone(), false))
                    }
                    ExNode::Binary(_, a, b) => {
                        stack.extend([(b.clone(), false), (a.clone(), false)])
                    }
                    ExNode::Select(c, a, b) => {
                        stack.extend([(b.clone(), false), (a.clone(), false), (c.clone(), false)])
                    }
                    ExNode::Arg(_) | ExNode::Lit(_) | ExNode::Index(_) => {}
                }
                continue;
            }
            let at = |e: &Ex| self.done[&Rc::as_ptr(&e.node)];
            let op = match &*ex.node {
                ExNode::Arg(k) => ExprOp::Arg(*k),
                ExNode::Lit(l) => ExprOp::Lit(*l),
                ExNode::Index(a) => ExprOp::Index(*a),
                ExNode::Unary(o, a) => ExprOp::Unary(*o, at(a)),
                ExNode::Binary(o, a, b) => ExprOp::Binary(*o, at(a), at(b)),
                ExNode::Select(c, a, b) => ExprOp::Select(at(c), at(a), at(b)),
                ExNode::Cast(a) => ExprOp::Cast(at(a)),
                ExNode::Bitcast(a) => ExprOp::Bitcast(at(a)),
            };
            let inst = Inst {
                op,
                dtype: ex.dtype,
            };
            let number = *self.seen.entry(inst).or_insert_with(|| {
                self.insts.push(inst);
                self.insts.len() as u32 - 1
            });
            self.done.insert(key, number);
        }
        // The result is the last instruction: repeat it where hash-consing found it earlier.
        let result = self.done[&Rc::as_ptr(&root.node)];
        if result as usize + 1 != self.insts.len() {
            self.insts.push(self.insts[result as usize]);
        }
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op:ident;)*) => {$(
        impl ops::$trait<Ex> for Ex {
            type Output = Ex;
            fn $method(self, o: Ex) -> Ex { self.binary(BinaryOp::$op, &o) }
        }
        impl ops::$trait<&Ex> for &Ex {
            type Output = Ex;
            fn $method(self, o: &Ex) -> Ex { self.binary(BinaryOp::$op, o) }
        }
        impl ops::$trait<&Ex> for Ex {
            type Output = Ex;
            fn $method(self, o: &Ex) -> Ex { self.binary(BinaryOp::$op, o) }
        }
        impl ops::$trait<Ex> for &Ex {
            type Output = Ex;
            fn $method(self, o: Ex) -> Ex { self.binary(BinaryOp::$op, &o) }
        }
        impl ops::$trait<f64> for Ex {
            type Output = Ex;
            fn $method(self, o: f64) -> Ex { self.binary(BinaryOp::$op, &self.lit(o)) }
        }
        impl ops::$trait<f64> for &Ex {
            type Output = Ex;
            fn $method(self, o: f64) -> Ex { self.binary(BinaryOp::$op, &self.lit(o)) }
        }
    )*};
}
arithmetic! { Add add Add; Sub sub Sub; Mul mul Mul; Div div Div; }

/// `%0:f32 = arg 0; %1:f32 = lit 0.0; %2:f32 = max %0 %1` without the noise: one instruction after the other, separated by `; `.
impl fmt::Display for ScalarExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, inst) in self.insts.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            match inst.op {
                ExprOp::Arg(k) => write!(f, "arg {k}")?,
                ExprOp::Lit(Literal::Float(v)) => write!(f, "lit {v:?}")?,
                ExprOp::Lit(Literal::Int(v)) => write!(f, "lit {v}")?,
                ExprOp::Index(a) => write!(f, "index {a}")?,
                ExprOp::Unary(o, a) => write!(f, "{} %{a}", o.name())?,
                ExprOp::Binary(o, a, b) => write!(f, "{} %{a} %{b}", o.name())?,
                ExprOp::Select(c, a, b) => write!(f, "select %{c} %{a} %{b}")?,
                ExprOp::Cast(a) => write!(f, "cast %{a}")?,
                ExprOp::Bitcast(a) => write!(f, "bitcast %{a}")?,
            }
            write!(f, ":{}", inst.dtype)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharing_keeps_a_doubling_chain_linear() {
        let mut x = Ex::arg(0, DType::F32);
        for _ in 0..64 {
            x = &x + &x;
        }
        assert_eq!(x.finish().insts.len(), 65);
    }

    #[test]
    fn expressions_print_as_straight_line_code() {
        let x = Ex::arg(0, DType::F16);
        insta::assert_snapshot!(x.clamp(0.0, 6.0).finish(), @"arg 0:f32; lit 0.0:f32; max %0 %1:f32; lit 6.0:f32; min %2 %3:f32");
    }
}
