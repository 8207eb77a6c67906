//! LRN: `y = x / (bias + alpha / size * s)^beta`, s the sum of squares over `size` neighbouring channels.
//! <https://onnx.ai/onnx/operators/onnx__LRN.html>, Krizhevsky et al., NIPS 2012.
//!
//! `s / size` is an average pooling along the channel axis, its padding counted.

use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::ops::normalization::operand;
use crate::schema::{Attr, Cx, Input, OpDef, TypeError, sets};

pub static DEF: OpDef = OpDef {
    name: "LRN",
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[
        Attr::float("alpha", 1e-4),
        Attr::float("beta", 0.75),
        Attr::float("bias", 1.0),
        Attr::required("size", AttrKind::Int),
    ],
    infer: |cx| {
        if cx.rank(0)? < 3 {
            return Err(cx.error(format!(
                "the input must have the shape [N,C,d..], is {}",
                cx.ty(0)?
            )));
        }
        size(cx)?;
        cx.same_as(0)
    },
    semantics: |cx| {
        let (shape, dtype, size) = (cx.shape(0)?, cx.dtype(0)?, size(cx)?);
        let area = shape[2..].iter().product();
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, dtype.compute())?;
        let square = c.op(Mul, &[x, x])?;
        let rows = c.reshape(square, &[shape[0], 1, shape[1], area])?;
        let pads = vec![(size - 1) / 2, 0, size / 2, 0];
        let mean = c.with(
            AveragePool,
            &[rows],
            [
                ("kernel_shape", AttrValue::Ints(vec![size, 1])),
                ("pads", AttrValue::Ints(pads)),
                ("count_include_pad", AttrValue::Int(1)),
            ],
        )?;
        let mean = c.reshape(mean, &shape)?;
        let alpha = c.scalar(dtype.compute(), cx.float("alpha")?);
        let bias = c.scalar(dtype.compute(), cx.float("bias")?);
        let beta = c.scalar(dtype.compute(), cx.float("beta")?);
        let scaled = c.op(Mul, &[mean, alpha])?;
        let base = c.op(Add, &[scaled, bias])?;
        let divisor = c.op(Pow, &[base, beta])?;
        let y = c.op(Div, &[x, divisor])?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn size(cx: &Cx) -> Result<i64, TypeError> {
    match cx.int("size")? {
        n if (1..1 << 31).contains(&n) => Ok(n),
        n => Err(cx.attr_error(
            "size",
            format!("must be a positive number of channels, is {n}"),
        )),
    }
}
