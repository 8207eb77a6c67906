//! LSTM: `i, o, f = f(x W' + h R' + p . c + b)`, `c = f . c + i . g(x W' + h R' + b)`, `h = o . h(c)`, step by step.
//! <https://onnx.ai/onnx/operators/onnx__LSTM.html>, Hochreiter and Schmidhuber, Neural Computation 9 (1997).

use crate::class::Cell;
use crate::ops::recurrence::{self, ATTRS};
use crate::schema::{Attr, Input, OpDef, Output, sets};

pub static DEF: OpDef = OpDef {
    name: "LSTM",
    inputs: &[
        Input::new("X", "T"),
        Input::new("W", "T"),
        Input::new("R", "T"),
        Input::new("B", "T").optional(),
        Input::new("sequence_lens", "i32").optional(),
        Input::new("initial_h", "T").optional(),
        Input::new("initial_c", "T").optional(),
        Input::new("P", "T").optional(),
    ],
    outputs: &[
        Output::new("Y", "T").optional(),
        Output::new("Y_h", "T").optional(),
        Output::new("Y_c", "T").optional(),
    ],
    types: &[("T", sets::FLOAT)],
    attrs: &{
        let [a, b, c, d, e, f, g, h] = ATTRS;
        [a, b, c, d, e, f, g, h, Attr::int("input_forget", 0)]
    },
    infer: |cx| recurrence::infer(cx, Cell::Lstm),
    semantics: |cx| recurrence::semantics(cx, Cell::Lstm, false, cx.flag("input_forget")?),
    ..OpDef::NEW
};
