//! Epilogues as steps of a tile: a straight chain on the accumulator of additions, limits and scalings, whose constants are loaded
//! once, or a formula.

use super::{EpilogueRequest, Place};
use crate::kernel::tile::{Formula, Inst, Scalar, Step};
use crate::memory::view::{Extent, View};
use cnnc_ir::expr::{BinaryOp, ExprOp, Literal, ScalarExpr};
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
    chain(e, output, &bias_fits).or_else(|_| formula(e, output, &bias_fits))
}

/// The epilogue as one formula, after the addition of a bias.
fn formula(
    e: &EpilogueRequest,
    output: &View,
    bias_fits: impl Fn(&Tensor) -> bool,
) -> Result<Fused, String> {
    let mut expr = e.expr.clone();
    let bias = take_bias(&mut expr, e, bias_fits);
    let mut residual = None;
    for inst in &expr.insts {
        let ExprOp::Arg(k @ 1..) = inst.op else {
            continue;
        };
        let operand = (k as usize - 1, e.operands.get(k as usize - 1));
        match operand {
            (at, Some(view))
                if same_geometry(view, output)
                    && matches!(e.values.get(at), Some(None))
                    && residual.is_none_or(|r| r == k) =>
            {
                residual = Some(k);
            }
            _ => return Err(format!("operand {k} is not the one residual of a tile")),
        }
    }
    let formula = Formula::lower(&expr, |k| {
        if k == 0 {
            Inst::Accumulator
        } else {
            Inst::Residual
        }
    })?;
    Ok(Fused {
        steps: vec![Step::Map(formula)],
        residual: residual.map(|k| Place::from(&e.operands[k as usize - 1])),
        bias,
    })
}

/// Takes an addition of a constant to the result out of the expression.
fn take_bias(
    expr: &mut ScalarExpr,
    e: &EpilogueRequest,
    bias_fits: impl Fn(&Tensor) -> bool,
) -> Option<Tensor> {
    let (at, result, other) = expr.insts.iter().enumerate().find_map(|(at, inst)| {
        let ExprOp::Binary(BinaryOp::Add, a, b) = inst.op else {
            return None;
        };
        let is_result = |v: u32| expr.insts[v as usize].op == ExprOp::Arg(0);
        match (is_result(a), is_result(b)) {
            (true, false) => Some((at, a, b)),
            (false, true) => Some((at, b, a)),
            _ => None,
        }
    })?;
    let ExprOp::Arg(k @ 1..) = expr.insts[other as usize].op else {
        return None;
    };
    let bias = e
        .values
        .get(k as usize - 1)?
        .clone()
        .filter(|t| bias_fits(t))?;
    let used_once = |v: u32| {
        let uses = expr.insts.iter().flat_map(|inst| operands(inst.op));
        uses.filter(|used| *used == v).count() == 1
    };
    if !used_once(result) || !used_once(other) {
        return None;
    }
    expr.insts[at].op = ExprOp::Arg(0);
    expr.insts[other as usize].op = ExprOp::Lit(Literal::Float(0.0));
    Some(bias)
}

/// The values an instruction reads.
pub(super) fn operands(op: ExprOp) -> Vec<u32> {
    match op {
        ExprOp::Arg(_) | ExprOp::Lit(_) | ExprOp::Index(_) => Vec::new(),
        ExprOp::Unary(_, a) | ExprOp::Cast(a) | ExprOp::Bitcast(a) => vec![a],
        ExprOp::Binary(_, a, b) => vec![a, b],
        ExprOp::Select(c, a, b) => vec![c, a, b],
    }
}

/// The epilogue as steps, one for each of its operations.
fn chain(
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

/// Whether elements at the same indices lie at the same distances.
fn same_geometry(a: &View, b: &View) -> bool {
    // How far apart images are says nothing where there is one.
    let skipped = usize::from(a.dims.first() == Some(&Extent::Fixed(1)));
    a.dims == b.dims && a.strides[skipped..] == b.strides[skipped..] && a.dtype == b.dtype
}
