//! DequantizeLinear: `y = (x - zero_point) * scale`, per tensor, per axis or per block.
//! <https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html>

use super::quantization::{along, dequantize, map};
use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Input, OpDef, Output, Preset, sets};
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "DequantizeLinear",
    since: 10,
    inputs: &[
        Input::new("x", "T1"),
        Input::new("x_scale", "T2"),
        Input::new("x_zero_point", "T1").optional(),
    ],
    outputs: &[Output::new("y", "T2")],
    types: &[
        (
            "T1",
            &[DType::I8, DType::U8, DType::I16, DType::U16, DType::I32],
        ),
        ("T2", sets::FLOAT),
    ],
    attrs: &[
        Attr::int("axis", 1).since(13),
        Attr::int("block_size", 0).since(21),
        Attr::new("output_dtype", AttrKind::DType, Preset::Absent).since(23),
    ],
    infer: |cx| {
        let to = cx.dtype_attr("output_dtype").unwrap_or(cx.dtype(1)?);
        Ok(vec![cx.ty(0)?.with_dtype(to)])
    },
    semantics: |cx| {
        let shape = cx.shape(0)?;
        let to = cx.dtype_attr("output_dtype").unwrap_or(cx.dtype(1)?);
        let mut c = Composer::new(cx);
        let (axis, block) = (cx.int("axis")?, cx.int("block_size")?);
        let scale = c.arg(1);
        let scale = along(cx, &mut c, scale, &shape, axis, block)?;
        let mut values = vec![c.arg(0), scale];
        if let Some(zero) = c.get(2) {
            values.push(along(cx, &mut c, zero, &shape, axis, block)?);
        }
        let y = map(&mut c, &values, to, |a| dequantize(&a[0], &a[1], a.get(2)))?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};
