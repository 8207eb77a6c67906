//! Elementwise operators: operands are spread to the output's shape, then the expression runs over blocks.

use super::Fault;
use super::array::{Array, broadcast_offsets, broadcasts_to};
use super::expr::evaluate;
use super::run::{Operands, Run};
use crate::expr::{ExprOp, ScalarExpr};
use crate::types::DType;
use std::borrow::Cow;

impl Run {
    /// `out[i] = expr(operands[i]...)` by numpy's broadcasting; left-out operands may not be named.
    pub fn elementwise(
        &mut self,
        expr: &ScalarExpr,
        operands: Operands,
        dtype: DType,
        shape: Vec<usize>,
    ) -> Result<Array, Fault> {
        self.spend(&[self.elements(&shape)?, expr.insts.len()])?;
        check(expr, operands, &shape)?;
        let unnamed = Array::ints(vec![0], Vec::new());
        let spread: Vec<Cow<Array>> = operands
            .iter()
            .map(|a| match a {
                Some(a) if a.shape == shape => Cow::Borrowed(&**a),
                Some(a) if broadcasts_to(&a.shape, &shape) => {
                    Cow::Owned(a.take(shape.clone(), &broadcast_offsets(&a.shape, &shape)))
                }
                _ => Cow::Borrowed(&unnamed),
            })
            .collect();
        let args: Vec<&Array> = spread.iter().map(|a| &**a).collect();
        Ok(evaluate(expr, &args, dtype, &shape, self.precision()))
    }
}

/// Every argument is given, has the type the expression reads it as, and broadcasts; coordinates name axes that exist.
fn check(expr: &ScalarExpr, operands: Operands, shape: &[usize]) -> Result<(), Fault> {
    for inst in &expr.insts {
        match inst.op {
            ExprOp::Arg(k) => {
                let Some(a) = operands.get(k as usize).and_then(Option::as_ref) else {
                    return Err(Fault::Invalid(format!("operand {k} is missing")));
                };
                if a.dtype.compute() != inst.dtype.compute() {
                    return Err(Fault::Invalid(format!(
                        "operand {k} is {}, the expression reads {}",
                        a.dtype, inst.dtype
                    )));
                }
                if !broadcasts_to(&a.shape, shape) {
                    return Err(Fault::Invalid(format!(
                        "operand {k} of shape {:?} does not broadcast to {shape:?}",
                        a.shape
                    )));
                }
            }
            ExprOp::Index(axis) if axis as usize >= shape.len() => {
                return Err(Fault::Invalid(format!(
                    "the expression names axis {axis} of a result of rank {}",
                    shape.len()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
