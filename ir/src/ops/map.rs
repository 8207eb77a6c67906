//! Map: `y[i] = expr(x0[i], x1[i], ..)`, operands broadcast; what fusion makes of elementwise chains and compositions are written
//! with. `dtype` is the element type of the result, to which the expression's value is rounded.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::expr::ScalarExpr;
use crate::schema::{Attr, CNNC, Cx, Input, OpDef, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "Map",
    domain: CNNC,
    inputs: &[Input::new("operands", "").any()],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::required("dtype", AttrKind::DType),
        Attr::required("expr", AttrKind::Expr),
    ],
    infer: |cx| {
        let expr = expr(cx)?;
        if expr.args() > cx.inputs.len() {
            return Err(cx.attr_error(
                "expr",
                format!(
                    "has {} arguments, {} operands are given",
                    expr.args(),
                    cx.inputs.len()
                ),
            ));
        }
        let dtype = cx
            .dtype_attr("dtype")
            .ok_or_else(|| cx.attr_error("dtype", "is missing"))?;
        if expr.dtype().compute() != dtype.compute() {
            return Err(cx.attr_error(
                "expr",
                format!("yields {}, the result is {dtype}", expr.dtype()),
            ));
        }
        Ok(vec![TensorType::new(dtype, cx.broadcast()?)])
    },
    semantics: |cx| Ok(Semantics::Elementwise(expr(cx)?.clone())),
    ..OpDef::NEW
};

fn expr<'a>(cx: &Cx<'a>) -> Result<&'a ScalarExpr, TypeError> {
    match cx.attrs.get("expr") {
        Some(AttrValue::Expr(expr)) if !expr.insts.is_empty() => Ok(expr),
        _ => Err(cx.attr_error("expr", "is missing or empty")),
    }
}
