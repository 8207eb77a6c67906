//! MeanVarianceNormalization: `y = (x - mean) / (sqrt(var) + 1e-9)`, mean and variance over `axes`.
//! <https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html>

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::ops::OpKind::*;
use crate::ops::normalization::{moments, operand};
use crate::schema::{Attr, Input, OpDef, Preset, sets};

pub static DEF: OpDef = OpDef {
    name: "MeanVarianceNormalization",
    since: 9,
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::new("axes", AttrKind::Ints, Preset::Ints(&[0, 2, 3]))],
    infer: |cx| {
        cx.normalize_axes(&cx.ints("axes")?, cx.rank(0)?)?;
        cx.same_as(0)
    },
    semantics: |cx| {
        let dtype = cx.dtype(0)?;
        let mut c = Composer::new(cx);
        let x = operand(&mut c, 0, dtype.compute())?;
        let m = moments(&mut c, x, &cx.ints("axes")?)?;
        let deviation = c.op(Sqrt, &[m.variance])?;
        let epsilon = c.scalar(dtype.compute(), 1e-9);
        let divisor = c.op(Add, &[deviation, epsilon])?;
        let y = c.op(Div, &[m.centred, divisor])?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
