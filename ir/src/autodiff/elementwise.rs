//! Elementwise operators: `dx = dy * expr'(x..)`, summed over the axes along which `x` was broadcast.

use super::expr::{Slope, derivative};
use super::{Refusal, Shares, Sweep, Task};
use crate::attrs::AttrValue;
use crate::expr::{Ex, ExprOp, ScalarExpr};
use crate::graph::Value;
use crate::ops::OpKind;
use crate::types::DType;

impl Sweep {
    pub(super) fn elementwise(
        &mut self,
        task: &Task,
        expr: &ScalarExpr,
    ) -> Result<Shares, Refusal> {
        let operands: Vec<Value> = task.inputs.iter().copied().flatten().collect();
        let dtypes: Vec<DType> = operands.iter().map(|v| self.graph().ty(*v).dtype).collect();
        let args: Vec<Ex> = dtypes
            .iter()
            .enumerate()
            .map(|(k, d)| Ex::arg(k, *d))
            .collect();
        let dy_dtype = self.graph().ty(task.dy).dtype;
        let [dy, y] = [0, 1].map(|k| Ex::arg(operands.len() + k, dy_dtype));
        // A half type rounds the result when it is stored.
        let y = (expr.dtype() == dy_dtype).then_some(&y);
        let all: Vec<Value> = [&operands[..], &[task.dy, task.id.into()]].concat();
        let mut shares = Vec::new();
        for &k in &task.wanted {
            let product = match derivative(expr, &args, k, y) {
                Slope::Zero => continue,
                Slope::One if dtypes[k] == dy_dtype => task.dy,
                slope => {
                    let slope = slope.times(&dy.cast(args[k].dtype()));
                    let slope = slope.value(args[k].dtype()).cast(dtypes[k].compute());
                    self.map_of(&slope, &all, dtypes[k])?
                }
            };
            shares.push((k, self.unbroadcast(product, operands[k])?));
        }
        Ok(shares)
    }

    /// A `Map` of an expression in the operands it reads, of that element type.
    pub(super) fn map_of(
        &mut self,
        expr: &Ex,
        operands: &[Value],
        dtype: DType,
    ) -> Result<Value, Refusal> {
        let code = expr.finish();
        let mut used: Vec<usize> = code
            .insts
            .iter()
            .filter_map(|inst| match inst.op {
                ExprOp::Arg(k) => Some(k as usize),
                _ => None,
            })
            .collect();
        used.sort_unstable();
        used.dedup();
        let types = operands.iter().map(|v| self.graph().ty(*v).dtype);
        let args: Vec<Ex> = types
            .enumerate()
            .map(|(k, d)| Ex::arg(used.binary_search(&k).unwrap_or(0), d))
            .collect();
        let read: Vec<Value> = used.iter().map(|&k| operands[k]).collect();
        Ok(self.composer.with(
            OpKind::Map,
            &read,
            [
                ("dtype", AttrValue::DType(dtype)),
                ("expr", AttrValue::Expr(code.apply(&args).finish())),
            ],
        )?)
    }
}
