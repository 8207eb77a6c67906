//! From scalar expressions to formulas.

use super::layout::Layout;
use super::{Binary, Compare, Formula, Inst, Val};
use cnnc_ir::DType;
use cnnc_ir::expr::{BinaryOp, ExprOp, ScalarExpr, UnaryOp};

/// Values a formula may hold at once, which every target has registers for whatever else a tile needs.
const MOST_SCRATCH: usize = 7;

/// What an instruction of the expression has become.
#[derive(Clone, Copy)]
enum Lowered {
    Value(Val),
    /// A comparison, and whether it is complemented; it waits for its selection.
    Test(Compare, Val, Val, bool),
}

impl Formula {
    /// The formula of `expr`, f32 throughout; `argument` says what its arguments are.
    ///
    /// # Errors
    /// With the first instruction that no formula can express.
    pub fn lower(expr: &ScalarExpr, argument: impl Fn(u32) -> Inst) -> Result<Formula, String> {
        let mut formula = Formula { code: Vec::new() };
        let mut done: Vec<Lowered> = Vec::with_capacity(expr.insts.len());
        for inst in &expr.insts {
            if !matches!(inst.dtype, DType::F32 | DType::Bool) {
                return Err(format!(
                    "a tile's epilogue is f32 throughout, found {}",
                    inst.dtype
                ));
            }
            let lowered = formula.instruction(inst.op, &done, &argument)?;
            done.push(lowered);
        }
        match done.last() {
            Some(Lowered::Value(result)) if expr.dtype() == DType::F32 => {
                if usize::from(*result) + 1 != formula.code.len() {
                    let repeated = formula.code[usize::from(*result)];
                    formula.push(repeated);
                }
                match Layout::of(&formula).scratch {
                    0..=MOST_SCRATCH => Ok(formula),
                    slots => Err(format!("the epilogue holds {slots} values at once")),
                }
            }
            _ => Err("the epilogue's result is no f32".to_string()),
        }
    }

    fn instruction(
        &mut self,
        op: ExprOp,
        done: &[Lowered],
        argument: impl Fn(u32) -> Inst,
    ) -> Result<Lowered, String> {
        let value = |v: u32| match done.get(v as usize) {
            Some(Lowered::Value(v)) => Ok(*v),
            _ => Err("a tile cannot compute with booleans".to_string()),
        };
        Ok(Lowered::Value(match op {
            ExprOp::Arg(k) => self.argument(argument(k)),
            ExprOp::Lit(l) => self.constant(l.as_f64() as f32),
            ExprOp::Unary(UnaryOp::Not, a) => match done.get(a as usize) {
                Some(&Lowered::Test(compare, x, y, not)) => {
                    return Ok(Lowered::Test(compare, x, y, !not));
                }
                _ => return Err("a tile cannot compute with booleans".to_string()),
            },
            ExprOp::Unary(UnaryOp::IsNan, a) => {
                let a = value(a)?;
                return Ok(Lowered::Test(Compare::NotEqual, a, a, false));
            }
            ExprOp::Unary(op, a) => self.unary(op, value(a)?)?,
            ExprOp::Binary(op, a, b) => {
                let (a, b) = (value(a)?, value(b)?);
                if let Some(compare) = comparison(op) {
                    return Ok(Lowered::Test(compare, a, b, false));
                }
                self.two_operands(op, a, b)?
            }
            ExprOp::Select(c, a, b) => {
                let (mut a, mut b) = (value(a)?, value(b)?);
                let Some(&Lowered::Test(compare, x, y, not)) = done.get(c as usize) else {
                    return Err("a tile selects by comparisons only".to_string());
                };
                if not {
                    (a, b) = (b, a);
                }
                self.push(Inst::Select(compare, [x, y, a, b]))
            }
            ExprOp::Index(_) | ExprOp::Cast(_) | ExprOp::Bitcast(_) => {
                return Err("a tile computes with f32 values only".to_string());
            }
        }))
    }

    fn argument(&mut self, inst: Inst) -> Val {
        match self.code.iter().position(|i| *i == inst) {
            Some(at) => at as Val,
            None => self.push(inst),
        }
    }

    fn unary(&mut self, op: UnaryOp, a: Val) -> Result<Val, String> {
        Ok(match op {
            UnaryOp::Neg => self.negative(a),
            UnaryOp::Abs => self.magnitude(a),
            UnaryOp::Sqrt => self.push(Inst::Sqrt(a)),
            UnaryOp::Exp => self.exp(a),
            UnaryOp::Tanh => self.tanh(a),
            UnaryOp::Erf => self.erf(a),
            _ => return Err(format!("a tile cannot compute `{}`", op.name())),
        })
    }

    fn two_operands(&mut self, op: BinaryOp, a: Val, b: Val) -> Result<Val, String> {
        let op = match op {
            BinaryOp::Add => Binary::Add,
            BinaryOp::Sub => Binary::Sub,
            BinaryOp::Mul => Binary::Mul,
            BinaryOp::Div => Binary::Div,
            BinaryOp::Max => return Ok(self.extreme(Binary::Max, a, b)),
            BinaryOp::Min => return Ok(self.extreme(Binary::Min, a, b)),
            _ => return Err(format!("a tile cannot compute `{}`", op.name())),
        };
        Ok(self.binary(op, a, b))
    }

    /// The larger or smaller, NaN if either is.
    fn extreme(&mut self, op: Binary, a: Val, b: Val) -> Val {
        let is_number =
            |v: Val| matches!(self.code[usize::from(v)], Inst::Constant(c) if !c.value().is_nan());
        let (a, b) = if is_number(b) { (b, a) } else { (a, b) };
        if is_number(a) {
            return self.binary(op, a, b);
        }
        let extreme = self.binary(op, a, b);
        self.push(Inst::Select(Compare::NotEqual, [a, a, a, extreme]))
    }
}

fn comparison(op: BinaryOp) -> Option<Compare> {
    Some(match op {
        BinaryOp::Eq => Compare::Equal,
        BinaryOp::Lt => Compare::Less,
        BinaryOp::Le => Compare::LessOrEqual,
        _ => return None,
    })
}
