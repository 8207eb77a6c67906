//! Epilogues as steps of a tile: a straight chain on the accumulator of additions, limits and scalings.

use super::{EpilogueRequest, Place};
use crate::kernel::tile::{Scalar, Step};
use crate::memory::view::View;
use cnnc_ir::expr::{BinaryOp, ExprOp, ScalarExpr};
use cnnc_ir::{DType, Tensor};

/// What the tile does itself.
#[derive(Default)]
pub struct Fused {
    pub steps: Vec<Step>,
    pub residual: Option<Place>,
    /// A constant operand added first of all, which the caller may take as bias.
    pub bias: Option<Tensor>,
}

/// The steps of an epilogue, if the tile can do all of it.
///
/// `bias_fits` says whether an added constant may serve as the tile's bias.
pub fn steps(
    e: &EpilogueRequest,
    output: &View,
    bias_fits: impl Fn(&Tensor) -> bool,
) -> Result<Fused, String> {
    let mut fused = Fused::default();
    let code = &e.expr.insts;
    let mut current = code
        .iter()
        .position(|i| i.op == ExprOp::Arg(0))
        .ok_or("the epilogue ignores the result")?;
    for (at, inst) in code.iter().enumerate() {
        if inst.dtype != DType::F32 {
            return Err(format!(
                "a tile's epilogue is f32 throughout, found {}",
                inst.dtype
            ));
        }
        let ExprOp::Binary(op, a, b) = inst.op else {
            if matches!(inst.op, ExprOp::Arg(_) | ExprOp::Lit(_)) {
                continue;
            }
            return Err(format!("a tile cannot compute `{}`", one(e.expr, at)));
        };
        let (a, b) = (a as usize, b as usize);
        let commutes = matches!(
            op,
            BinaryOp::Add | BinaryOp::Mul | BinaryOp::Max | BinaryOp::Min
        );
        let other = match (a == current, b == current) {
            (true, false) => b,
            (false, true) if commutes => a,
            _ => return Err("the epilogue is not one chain".to_string()),
        };
        let step = match (op, code[other].op) {
            (BinaryOp::Max, ExprOp::Lit(l)) => Step::Max(Scalar::from(l.as_f64() as f32)),
            (BinaryOp::Min, ExprOp::Lit(l)) => Step::Min(Scalar::from(l.as_f64() as f32)),
            (BinaryOp::Mul, ExprOp::Lit(l)) => Step::Scale(Scalar::from(l.as_f64() as f32)),
            (BinaryOp::Add, ExprOp::Arg(k)) => {
                let operand = (k as usize)
                    .checked_sub(1)
                    .and_then(|k| Some((e.operands.get(k)?, e.values.get(k)?)));
                let Some((view, value)) = operand else {
                    return Err("the result is added to itself".to_string());
                };
                match value {
                    Some(t) if fused.steps.is_empty() && fused.bias.is_none() && bias_fits(t) => {
                        fused.bias = Some(t.clone());
                        current = at;
                        continue;
                    }
                    Some(_) => return Err("an added constant does not fit the bias".to_string()),
                    None if same_geometry(view, output) && fused.residual.is_none() => {
                        fused.residual = Some(Place::from(view));
                        Step::AddResidual
                    }
                    None => {
                        return Err(
                            "an added operand has another geometry than the result".to_string()
                        );
                    }
                }
            }
            _ => return Err(format!("a tile cannot compute `{}`", one(e.expr, at))),
        };
        fused.steps.push(step);
        current = at;
    }
    if current + 1 != code.len() {
        return Err("the epilogue is not one chain".to_string());
    }
    Ok(fused)
}

fn one(expr: &ScalarExpr, at: usize) -> String {
    ScalarExpr {
        insts: vec![expr.insts[at]],
    }
    .to_string()
}

fn same_geometry(a: &View, b: &View) -> bool {
    a.dims == b.dims && a.strides == b.strides && a.dtype == b.dtype
}
