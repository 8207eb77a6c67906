//! IsInf: `y = x is +inf or -inf`, either can be left out. <https://onnx.ai/onnx/operators/onnx__IsInf.html>

use super::elementwise::map;
use crate::expr::UnaryOp;
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "IsInf",
    since: 10,
    inputs: &[Input::new("X", "T")],
    outputs: &[Output::new("Y", "bool")],
    types: &[("T", sets::FLOAT)],
    attrs: &[Attr::int("detect_negative", 1), Attr::int("detect_positive", 1)],
    infer: |cx| cx.infer_predicate(),
    semantics: |cx| {
        let (negative, positive) = (cx.flag("detect_negative")?, cx.flag("detect_positive")?);
        map(cx, |x| {
            let zero = x.lit(0.0);
            let infinite = x.unary(UnaryOp::IsInf);
            match (negative, positive) {
                (true, true) => infinite,
                (true, false) => infinite.and(&x.lt(&zero)),
                (false, true) => infinite.and(&zero.lt(x)),
                (false, false) => infinite.and(&infinite.not()),
            }
        })
    },
    ..OpDef::NEW
};
