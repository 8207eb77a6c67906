//! QuantizeLinear: `y = saturate(round(x / scale) + zero_point)`, per tensor, per axis or per block.
//! <https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html>

use super::quantization::{along, map, quantize};
use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::DType;

const QUANTIZED: &[DType] = &[DType::I8, DType::U8, DType::I16, DType::U16];

pub static DEF: OpDef = OpDef {
    name: "QuantizeLinear",
    since: 10,
    inputs: &[
        Input::new("x", "T1"),
        Input::new("y_scale", "T2"),
        Input::new("y_zero_point", "T3").optional(),
    ],
    outputs: &[Output::new("y", "T3")],
    types: &[
        ("T1", &[DType::F32, DType::F16, DType::BF16, DType::I32]),
        ("T2", sets::FLOAT),
        ("T3", QUANTIZED),
    ],
    attrs: &[
        Attr::int("axis", 1).since(13),
        Attr::int("block_size", 0).since(21),
        Attr::new("output_dtype", AttrKind::DType, Preset::Absent).since(21),
        Attr::new("precision", AttrKind::DType, Preset::Absent).since(23),
        Attr::int("saturate", 1).since(19),
    ],
    infer: |cx| Ok(vec![cx.ty(0)?.with_dtype(target(cx)?)]),
    semantics: |cx| {
        let (shape, to) = (cx.shape(0)?, target(cx)?);
        let mut c = Composer::new(cx);
        let (axis, block) = (cx.int("axis")?, cx.int("block_size")?);
        let scale = c.arg(1);
        let scale = along(cx, &mut c, scale, &shape, axis, block)?;
        let mut values = vec![c.arg(0), scale];
        if let Some(zero) = c.get(2) {
            values.push(along(cx, &mut c, zero, &shape, axis, block)?);
        }
        let compute = cx.dtype(1)?.compute();
        let y = map(&mut c, &values, to, |a| {
            quantize(&a[0].cast(compute), &a[1], a.get(2), to)
        })?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn target(cx: &Cx) -> Result<DType, TypeError> {
    let to = match cx.get(2) {
        Some(zero) => zero.ty.dtype,
        None => cx.dtype_attr("output_dtype").unwrap_or(DType::U8),
    };
    if QUANTIZED.contains(&to) {
        Ok(to)
    } else {
        Err(cx.unsupported(format!("quantising to {to}")))
    }
}
