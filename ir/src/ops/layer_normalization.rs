//! LayerNormalization: `y = (x - mean) / sqrt(var + epsilon) * scale + bias`, mean and variance over the axes from `axis` on.
//! <https://onnx.ai/onnx/operators/onnx__LayerNormalization.html>, Ba et al., arXiv:1607.06450.

use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "LayerNormalization",
    since: 17,
    inputs: &[Input::new("X", "T"), Input::new("Scale", "T"), Input::new("B", "T").optional()],
    outputs: &[Output::new("Y", "T"), Output::new("Mean", "U").optional(), Output::new("InvStdDev", "U").optional()],
    types: &[("T", sets::FLOAT), ("U", sets::FLOAT)],
    attrs: &[Attr::int("axis", -1), Attr::float("epsilon", 1e-5), Attr::int("stash_type", 1)],
    infer,
    semantics: |cx| {
        let rank = cx.rank(0)?;
        let axes: Vec<i64> = (cx.axis("axis", rank)? as i64..rank as i64).collect();
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let dtype = cx.dtype(0)?;
        let mean = c.reduce(ReduceMean, x, &axes, true)?;
        let centred = c.op(Sub, &[x, mean])?;
        let square = c.op(Mul, &[centred, centred])?;
        let variance = c.reduce(ReduceMean, square, &axes, true)?;
        let epsilon = c.scalar(dtype, cx.float("epsilon")?);
        let shifted = c.op(Add, &[variance, epsilon])?;
        let deviation = c.op(Sqrt, &[shifted])?;
        let inverse = c.op(Reciprocal, &[deviation])?;
        let normal = c.op(Mul, &[centred, inverse])?;
        let mut y = c.op(Mul, &[normal, c.arg(1)])?;
        if let Some(bias) = c.get(2) {
            y = c.op(Add, &[y, bias])?;
        }
        c.finish(&[y, mean, inverse][..cx.outputs.min(3)])
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    let axis = cx.axis("axis", x.rank())?;
    let statistics = x.shape.iter().enumerate().map(|(i, d)| if i < axis { d.clone() } else { Dim::Fixed(1) });
    let statistics = TensorType::new(DType::F32, statistics);
    Ok(vec![x.clone(), statistics.clone(), statistics])
}
