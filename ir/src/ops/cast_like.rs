//! CastLike: the first operand converted to the second one's element type. <https://onnx.ai/onnx/operators/onnx__CastLike.html>

use crate::compose::Composer;
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "CastLike",
    since: 15,
    inputs: &[Input::new("input", "T"), Input::new("target_type", "U")],
    outputs: &[Output::new("output", "U")],
    types: &[("T", sets::ALL), ("U", sets::ALL)],
    attrs: &[
        Attr::int("saturate", 1).since(19),
        Attr::str("round_mode", "up").since(24),
    ],
    infer: |cx| Ok(vec![cx.ty(0)?.with_dtype(cx.dtype(1)?)]),
    // The second operand lends its type only: it takes no part in the computation.
    semantics: |cx| {
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let y = c.cast(x, cx.dtype(1)?)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
