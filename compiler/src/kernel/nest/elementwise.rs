//! Elementwise operators: one parallel loop an axis, operands broadcast by a stride of 0. Without operands, a source.

use super::axes::{Axes, Coordinate, channel_split, operand, result};
use super::{LowerError, Nest};
use crate::memory::view::View;
use cnnc_ir::expr::{ExprOp, ScalarExpr};
use cnnc_ir::{DType, Ex};

/// `output[i] = expr(inputs[i]..)`, inputs broadcast to the output by numpy's rule.
///
/// # Errors
/// When a blocked view meets one it cannot share loops with.
pub fn elementwise(
    expr: &ScalarExpr,
    inputs: &[View],
    output: &View,
) -> Result<Vec<Nest>, LowerError> {
    let rank = output.dims.len();
    let mut axes = Axes::default();
    let split = channel_split(inputs.iter().chain([output]), rank);
    let coordinates = axes.parallel(&output.dims, &split);
    let loads = inputs
        .iter()
        .enumerate()
        .map(|(k, view)| match rank.checked_sub(view.dims.len()) {
            Some(_) => operand(view, &coordinates),
            None => Err(LowerError::Rank {
                operand: k,
                found: view.dims.len(),
                expected: rank,
            }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (store, guards) = result(output, &coordinates)?;
    let nest = Nest {
        label: "elementwise".to_owned(),
        loops: axes.loops,
        quotients: Vec::new(),
        guards,
        loads,
        map: over_counters(expr, &coordinates),
        reduction: None,
        store,
    };
    Ok(vec![nest.simplify()])
}

/// The expression with coordinates along axes written in terms of loop counters.
pub(super) fn over_counters(expr: &ScalarExpr, coordinates: &[Coordinate]) -> ScalarExpr {
    let moved = |a: u32| coordinates.get(a as usize).map(|c| &c.affine);
    let trivial = expr.insts.iter().all(|inst| match inst.op {
        ExprOp::Index(a) => {
            moved(a).is_some_and(|c| *c == super::Affine::default().plus(a as usize, 1))
        }
        _ => true,
    });
    if trivial {
        return expr.clone();
    }
    // Rebuild instruction by instruction: an index becomes a sum over counters, numbers of later instructions move.
    let mut insts = Vec::new();
    let mut number = Vec::with_capacity(expr.insts.len());
    for inst in &expr.insts {
        match inst.op {
            ExprOp::Index(a) => {
                let sum = moved(a)
                    .map_or_else(|| Ex::int(DType::I64, 0), affine_expr)
                    .finish();
                let first = insts.len() as u32;
                insts.extend(sum.insts.iter().map(|i| renumber(*i, |n| first + n)));
            }
            _ => insts.push(renumber(*inst, |n| number[n as usize])),
        }
        number.push(insts.len() as u32 - 1);
    }
    ScalarExpr { insts }
}

/// The affine function as an i64 expression over counters.
fn affine_expr(affine: &super::Affine) -> Ex {
    let mut sum = Ex::int(DType::I64, affine.base);
    for (counter, &c) in affine.coefficients.iter().enumerate() {
        if c != 0 {
            sum = sum + Ex::index(counter) * Ex::int(DType::I64, c);
        }
    }
    sum
}

fn renumber(mut inst: cnnc_ir::expr::Inst, at: impl Fn(u32) -> u32) -> cnnc_ir::expr::Inst {
    inst.op = match inst.op {
        ExprOp::Unary(o, a) => ExprOp::Unary(o, at(a)),
        ExprOp::Binary(o, a, b) => ExprOp::Binary(o, at(a), at(b)),
        ExprOp::Select(c, a, b) => ExprOp::Select(at(c), at(a), at(b)),
        ExprOp::Cast(a) => ExprOp::Cast(at(a)),
        ExprOp::Bitcast(a) => ExprOp::Bitcast(at(a)),
        other => other,
    };
    inst
}
