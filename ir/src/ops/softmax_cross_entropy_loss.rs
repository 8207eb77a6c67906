//! SoftmaxCrossEntropyLoss: the negative log-likelihood of `log_prob = log_softmax(scores)` along axis 1; `log_prob` is the second
//! result. <https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html>

use super::loss;
use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::ops::OpKind::LogSoftmax;
use crate::schema::{Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "SoftmaxCrossEntropyLoss",
    since: 12,
    inputs: &[
        Input::new("scores", "T"),
        Input::new("labels", "Tind"),
        Input::new("weights", "T").optional(),
    ],
    outputs: &[
        Output::new("output", "T"),
        Output::new("log_prob", "T").optional(),
    ],
    types: &[("T", sets::FLOAT), ("Tind", sets::INDEX)],
    attrs: loss::ATTRS,
    infer: |cx| {
        let loss = loss::infer(cx)?;
        Ok(vec![loss, cx.ty(0)?.clone()])
    },
    semantics: |cx| {
        let dtype = cx.dtype(0)?;
        let mut c = Composer::new(cx);
        let scores = c.arg(0);
        let scores = c.cast(scores, dtype.compute())?;
        let log_prob = c.with(LogSoftmax, &[scores], [("axis", AttrValue::Int(1))])?;
        let loss = loss::negative_log_likelihood(cx, &mut c, log_prob)?;
        let mut outputs = vec![c.cast(loss, dtype)?];
        if cx.outputs > 1 {
            outputs.push(c.cast(log_prob, dtype)?);
        }
        c.finish(&outputs)
    },
    ..OpDef::NEW
};
