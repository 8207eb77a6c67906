//! NegativeLogLikelihoodLoss: `-weight[label] * x[label]` for each element, reduced as asked for; the mean divides by the sum of the
//! weights. <https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html>

use super::loss;
use crate::compose::Composer;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "NegativeLogLikelihoodLoss",
    since: 12,
    inputs: &[
        Input::new("input", "T"),
        Input::new("target", "Tind"),
        Input::new("weight", "T").optional(),
    ],
    outputs: &[Output::new("loss", "T")],
    types: &[("T", sets::FLOAT), ("Tind", sets::INDEX)],
    attrs: loss::ATTRS,
    infer: |cx| Ok(vec![loss::infer(cx)?]),
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let x = c.cast(x, cx.dtype(0)?.compute())?;
        let y = loss::negative_log_likelihood(cx, &mut c, x)?;
        let y = c.cast(y, cx.dtype(0)?)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
