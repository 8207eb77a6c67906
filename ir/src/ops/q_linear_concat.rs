//! QLinearConcat of com.microsoft: operands, each with its scale and zero point, dequantised, one after the other along `axis`,
//! quantised. <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearConcat>

use super::q_linear::MICROSOFT;
use super::quantization::{quantized, real};
use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::ops::concat;
use crate::ops::integer_product::check_scalar;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "QLinearConcat",
    domain: MICROSOFT,
    inputs: &[
        Input::new("Y_scale", "f32"),
        Input::new("Y_zero_point", "T"),
        Input::new("inputs", "").variadic(),
    ],
    outputs: &[Output::new("Y", "T")],
    types: &[("T", sets::BYTE)],
    attrs: &[Attr::required("axis", AttrKind::Int)],
    infer: |cx| Ok(vec![infer(cx)?]),
    semantics: |cx| {
        let axis = cx.axis("axis", cx.rank(2)?)?;
        let mut c = Composer::new(cx);
        let parts = (2..cx.inputs.len())
            .step_by(3)
            .map(|at| real(&mut c, at))
            .collect::<Result<Vec<_>, _>>()?;
        let y = c.concat(&parts, axis)?;
        let y = quantized(&mut c, y, 0, cx.dtype(1)?)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<TensorType, TypeError> {
    let operands = &cx.inputs[2.min(cx.inputs.len())..];
    if !operands.len().is_multiple_of(3) {
        return Err(cx.error("each operand needs a scale and a zero point"));
    }
    let to = cx.dtype(1)?;
    check_scalar(cx, 0)?;
    check_scalar(cx, 1)?;
    for at in (2..cx.inputs.len()).step_by(3) {
        if cx.dtype(at)? != to
            || cx.dtype(at + 2)? != to
            || cx.dtype(at + 1)? != crate::types::DType::F32
        {
            return Err(cx.error(format!(
                "operand {} must be of type {to} with a scale of type f32",
                (at - 2) / 3
            )));
        }
        check_scalar(cx, at + 1)?;
        check_scalar(cx, at + 2)?;
    }
    let parts: Vec<_> = operands.iter().step_by(3).copied().collect();
    concat::infer(&Cx {
        inputs: &parts,
        ..*cx
    })
}
