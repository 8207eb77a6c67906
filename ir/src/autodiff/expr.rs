//! The derivative of a scalar expression with respect to one argument, by forward accumulation over its straight-line code.
//!
//! At a kink the derivative of the constant side counts, so `relu'(0) = 0`; of two operands that both depend on the argument the
//! first. Where a function steps (rounding, comparisons, conversions to integers) the derivative is zero.

use crate::expr::{BinaryOp, Ex, ExprOp, Literal, ScalarExpr, UnaryOp};
use crate::types::DType;
use std::f64::consts::PI;

/// A derivative in the making.
#[derive(Clone)]
pub enum Slope {
    Zero,
    One,
    Of(Ex),
}

impl Slope {
    /// Times a factor.
    pub fn times(&self, factor: &Ex) -> Slope {
        match self {
            Slope::Zero => Slope::Zero,
            Slope::One => Slope::Of(factor.clone()),
            Slope::Of(slope) => Slope::Of(slope * factor),
        }
    }

    fn plus(&self, other: &Slope, dtype: DType) -> Slope {
        match (self, other) {
            (Slope::Zero, s) | (s, Slope::Zero) => s.clone(),
            (a, b) => Slope::Of(a.value(dtype) + b.value(dtype)),
        }
    }

    /// The derivative as an expression.
    pub fn value(&self, dtype: DType) -> Ex {
        match self {
            Slope::Zero => Ex::float(dtype, 0.0),
            Slope::One => Ex::float(dtype, 1.0),
            Slope::Of(slope) => slope.clone(),
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Slope::Zero)
    }

    /// `if condition { self } else { other }`.
    fn or(&self, condition: &Ex, other: &Slope, dtype: DType) -> Slope {
        if self.is_zero() && other.is_zero() {
            return Slope::Zero;
        }
        Slope::Of(condition.select(&self.value(dtype), &other.value(dtype)))
    }
}

/// The derivative of `expr` by argument `by`, in the arguments `args` and, where the value of the whole expression is at hand and
/// serves, in that `result`: what came before it then need not be kept.
pub fn derivative(expr: &ScalarExpr, args: &[Ex], by: usize, result: Option<&Ex>) -> Slope {
    let mut done: Vec<(Ex, Slope)> = Vec::with_capacity(expr.insts.len());
    let inner = inner_limit(expr);
    for (number, inst) in expr.insts.iter().enumerate() {
        let kept = result.filter(|_| number + 1 == expr.insts.len());
        let value = |i: u32| done[i as usize].0.clone();
        let slope = |i: u32| done[i as usize].1.clone();
        let dtype = inst.dtype;
        let step = match inst.op {
            ExprOp::Arg(k) => {
                let own = if k as usize == by {
                    Slope::One
                } else {
                    Slope::Zero
                };
                (args[k as usize].clone(), own)
            }
            ExprOp::Lit(Literal::Float(v)) => (Ex::float(dtype, v), Slope::Zero),
            ExprOp::Lit(Literal::Int(v)) => (Ex::int(dtype, v), Slope::Zero),
            ExprOp::Index(axis) => (Ex::index(axis as usize), Slope::Zero),
            ExprOp::Unary(op, a) => {
                let y = kept.cloned().unwrap_or_else(|| value(a).unary(op));
                let by_operand = unary(op, &value(a), &y);
                let own = by_operand.map_or(Slope::Zero, |factor| slope(a).times(&factor));
                (y, own)
            }
            ExprOp::Binary(op, a, b) => {
                let (a, b, by) = (value(a), value(b), [&slope(a), &slope(b)]);
                let y = kept.cloned().unwrap_or_else(|| a.binary(op, &b));
                let told = result.filter(|_| kept.is_some() || inner == Some(number));
                let extremes = told.map_or([&a, &b], |y| [y, y]);
                let own = binary(op, [&a, &b, &y], extremes, by);
                (y, own)
            }
            ExprOp::Select(c, a, b) => {
                let own = slope(a).or(&value(c), &slope(b), dtype);
                (value(c).select(&value(a), &value(b)), own)
            }
            ExprOp::Cast(a) => {
                let from = value(a);
                let own = match slope(a) {
                    Slope::Of(slope) if dtype.is_float() => Slope::Of(slope.cast(dtype.compute())),
                    Slope::One if dtype.is_float() => Slope::One,
                    _ => Slope::Zero,
                };
                (from.cast(dtype), own)
            }
            ExprOp::Bitcast(a) => (value(a).bitcast(dtype), Slope::Zero),
        };
        done.push(step);
    }
    done.pop().map_or(Slope::Zero, |(_, slope)| slope)
}

/// The inner limit of `min(max(x, low), high)` or `max(min(x, high), low)`, where `low < high` are numbers and the outer one is the
/// whole expression: it holds where the result is strictly within.
fn inner_limit(expr: &ScalarExpr) -> Option<usize> {
    let limit = |number: usize| {
        let ExprOp::Binary(op @ (BinaryOp::Max | BinaryOp::Min), a, b) = expr.insts.get(number)?.op
        else {
            return None;
        };
        let literal = |i: u32| match expr.insts[i as usize].op {
            ExprOp::Lit(Literal::Float(v)) => Some(v),
            _ => None,
        };
        match [literal(a), literal(b)] {
            [Some(by), None] => Some((op, by, b as usize)),
            [None, Some(by)] => Some((op, by, a as usize)),
            _ => None,
        }
    };
    let (outer, outer_by, inside) = limit(expr.insts.len().checked_sub(1)?)?;
    let (inner, inner_by, _) = limit(inside)?;
    let leaves_room = match (inner, outer) {
        (BinaryOp::Max, BinaryOp::Min) => inner_by < outer_by,
        (BinaryOp::Min, BinaryOp::Max) => outer_by < inner_by,
        _ => false,
    };
    leaves_room.then_some(inside)
}

/// The derivative of `y = op(x)`; `None` where it is zero.
fn unary(op: UnaryOp, x: &Ex, y: &Ex) -> Option<Ex> {
    let one = || x.lit(1.0);
    let square = || x * x;
    Some(match op {
        UnaryOp::Neg => x.lit(-1.0),
        UnaryOp::Abs => x.unary(UnaryOp::Sign),
        UnaryOp::Sqrt => x.lit(0.5) / y,
        UnaryOp::Exp => y.clone(),
        UnaryOp::Log => one() / x,
        UnaryOp::Sin => x.unary(UnaryOp::Cos),
        UnaryOp::Cos => x.unary(UnaryOp::Sin).neg(),
        UnaryOp::Tan => y * y + 1.0,
        UnaryOp::Asin => one() / (one() - square()).sqrt(),
        UnaryOp::Acos => x.lit(-1.0) / (one() - square()).sqrt(),
        UnaryOp::Atan => one() / (square() + 1.0),
        UnaryOp::Sinh => x.unary(UnaryOp::Cosh),
        UnaryOp::Cosh => x.unary(UnaryOp::Sinh),
        UnaryOp::Tanh => one() - y * y,
        UnaryOp::Asinh => one() / (square() + 1.0).sqrt(),
        UnaryOp::Acosh => one() / (square() - 1.0).sqrt(),
        UnaryOp::Atanh => one() / (one() - square()),
        UnaryOp::Erf => square().neg().exp() * (2.0 / PI.sqrt()),
        UnaryOp::Sign
        | UnaryOp::Floor
        | UnaryOp::Ceil
        | UnaryOp::Round
        | UnaryOp::Trunc
        | UnaryOp::IsNan
        | UnaryOp::IsInf
        | UnaryOp::Not => return None,
    })
}

/// The derivative of `y = op(a, b)` from those of its operands. `won_a` and `won_b` are what an extreme is where that operand won: the
/// operand, or the result.
fn binary(
    op: BinaryOp,
    [a, b, y]: [&Ex; 3],
    [won_a, won_b]: [&Ex; 2],
    [by_a, by_b]: [&Slope; 2],
) -> Slope {
    if !y.dtype().is_float() || by_a.is_zero() && by_b.is_zero() {
        return Slope::Zero;
    }
    let dtype = y.dtype();
    let minus = y.lit(-1.0);
    match op {
        BinaryOp::Add => by_a.plus(by_b, dtype),
        BinaryOp::Sub => by_a.plus(&by_b.times(&minus), dtype),
        BinaryOp::Mul => by_a.times(b).plus(&by_b.times(a), dtype),
        BinaryOp::Div => {
            let over = y.lit(1.0) / b;
            by_a.times(&over).plus(&by_b.times(&(y.neg() / b)), dtype)
        }
        BinaryOp::Rem => by_a.plus(&by_b.times(&(a / b).unary(UnaryOp::Trunc).neg()), dtype),
        BinaryOp::Mod => by_a.plus(&by_b.times(&(a / b).floor().neg()), dtype),
        BinaryOp::Pow => {
            let by_base = b * &a.pow(&(b - 1.0));
            by_a.times(&by_base)
                .plus(&by_b.times(&(y * &a.log())), dtype)
        }
        BinaryOp::Max => extreme(&b.lt(won_a), &a.lt(won_b), &b.le(a), [by_a, by_b], dtype),
        BinaryOp::Min => extreme(&won_a.lt(b), &won_b.lt(a), &a.le(b), [by_a, by_b], dtype),
        _ => Slope::Zero,
    }
}

/// The slope of the operand that wins: `a` or `b` for certain, which the result tells, or `a` where both are equal.
fn extreme(a: &Ex, b: &Ex, a_or_equal: &Ex, [by_a, by_b]: [&Slope; 2], dtype: DType) -> Slope {
    match (by_a.is_zero(), by_b.is_zero()) {
        (false, true) => by_a.or(a, &Slope::Zero, dtype),
        (true, false) => by_b.or(b, &Slope::Zero, dtype),
        _ => by_a.or(a_or_equal, by_b, dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(f: impl Fn(&Ex) -> Ex) -> ScalarExpr {
        let x = Ex::arg(0, DType::F32);
        let expr = f(&x).finish();
        derivative(&expr, &[x], 0, None).value(DType::F32).finish()
    }

    fn of_result(f: impl Fn(&Ex) -> Ex) -> ScalarExpr {
        let [x, y] = [0, 1].map(|k| Ex::arg(k, DType::F32));
        let expr = f(&x).finish();
        derivative(&expr, &[x], 0, Some(&y))
            .value(DType::F32)
            .finish()
    }

    #[test]
    fn results_serve_where_they_tell_the_derivative() {
        insta::assert_snapshot!(of_result(|x| x.max(&x.lit(0.0))), @"lit 0.0:f32; arg 1:f32; lt %0 %1:bool; lit 1.0:f32; select %2 %3 %0:f32");
        insta::assert_snapshot!(of_result(|x| x.max(&x.lit(0.0)).min(&x.lit(6.0))), @"arg 1:f32; lit 6.0:f32; lt %0 %1:bool; lit 0.0:f32; lt %3 %0:bool; lit 1.0:f32; select %4 %5 %3:f32; select %2 %6 %3:f32");
        insta::assert_snapshot!(of_result(|x| x.min(&x.lit(0.0)).max(&x.lit(6.0))), @"lit 6.0:f32; arg 1:f32; lt %0 %1:bool; arg 0:f32; lit 0.0:f32; lt %3 %4:bool; lit 1.0:f32; select %5 %6 %4:f32; select %2 %7 %4:f32");
        insta::assert_snapshot!(of_result(|x| x.exp()), @"arg 1:f32");
        insta::assert_snapshot!(of_result(|x| x.tanh()), @"lit 1.0:f32; arg 1:f32; mul %1 %1:f32; sub %0 %2:f32");
    }

    #[test]
    fn derivatives_are_simple_where_functions_are() {
        insta::assert_snapshot!(of(|x| x * 3.0), @"lit 3.0:f32");
        insta::assert_snapshot!(of(|x| x.max(&x.lit(0.0))), @"lit 0.0:f32; arg 0:f32; lt %0 %1:bool; lit 1.0:f32; select %2 %3 %0:f32");
        insta::assert_snapshot!(of(|x| x.floor()), @"lit 0.0:f32");
    }
}
