//! Gemm: `y = alpha * A' B' + beta * C`, A' and B' transposed where asked for, C broadcast to the result.
//! <https://onnx.ai/onnx/operators/onnx__Gemm.html>

use crate::attrs::AttrValue;
use crate::class::{Contract, Semantics};
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::{self, Add, Mul};
use crate::ops::mat_mul::{self, may_equal};
use crate::schema::{Attr, Cx, Input, OpDef, TypeError};
use crate::types::{TensorType, broadcast};

pub static DEF: OpDef = OpDef {
    name: "Gemm",
    inputs: &[
        Input::new("A", "T"),
        Input::new("B", "T"),
        Input::new("C", "T").optional(),
    ],
    types: &[("T", mat_mul::TYPES)],
    attrs: &[
        Attr::float("alpha", 1.0),
        Attr::float("beta", 1.0),
        Attr::int("broadcast", 0).until(6),
        Attr::int("transA", 0),
        Attr::int("transB", 0),
    ],
    infer,
    semantics: |cx| {
        let (alpha, beta) = (cx.float("alpha")?, cx.float("beta")?);
        if alpha == 1.0 && !cx.has(2) {
            return Ok(Semantics::Contract(Contract::MatMul {
                transpose_a: cx.flag("transA")?,
                transpose_b: cx.flag("transB")?,
            }));
        }
        let mut c = Composer::new(cx);
        let transposed = [
            ("transA", AttrValue::Int(cx.int("transA")?)),
            ("transB", AttrValue::Int(cx.int("transB")?)),
        ];
        let product = c.with(OpKind::Gemm, &[c.arg(0), c.arg(1)], transposed)?;
        let mut y = scale(&mut c, product, alpha)?;
        if let Some(addend) = c.get(2) {
            let addend = scale(&mut c, addend, beta)?;
            y = c.op(Add, &[y, addend])?;
        }
        c.finish(&[y])
    },
    adapt: Some(|node| {
        node.attrs.remove("broadcast");
        Ok(())
    }),
    ..OpDef::NEW
};

fn scale(c: &mut Composer, v: Value, factor: f64) -> Result<Value, TypeError> {
    if factor == 1.0 {
        return Ok(v);
    }
    let factor = c.scalar(c.ty(v).dtype, factor);
    c.op(Mul, &[v, factor])
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (a, b) = (cx.ty(0)?, cx.ty(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        return Err(cx.error(format!("A and B must be matrices, are {a} and {b}")));
    }
    let (ta, tb) = (cx.flag("transA")? as usize, cx.flag("transB")? as usize);
    let (m, k) = (&a.shape[ta], &a.shape[1 - ta]);
    let (inner, n) = (&b.shape[tb], &b.shape[1 - tb]);
    if !may_equal(k, inner) {
        return Err(cx.error(format!(
            "inner dimensions {k} and {inner} of shapes {a} and {b} differ"
        )));
    }
    for name in ["alpha", "beta"] {
        let factor = cx.float(name)?;
        if a.dtype.is_int() && factor.fract() != 0.0 {
            return Err(cx.attr_error(name, format!("is {factor}, no factor of integers")));
        }
    }
    let shape = vec![m.clone(), n.clone()];
    if let Some(c) = cx.get(2).map(|c| c.ty)
        && broadcast(&shape, &c.shape).as_ref() != Some(&shape)
    {
        return Err(cx.error(format!(
            "the shape of the bias C {c} does not broadcast to [{m},{n}]"
        )));
    }
    Ok(vec![TensorType::new(a.dtype, shape)])
}
