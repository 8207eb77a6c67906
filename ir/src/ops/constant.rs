//! Constant: the tensor, number or list of numbers in the one `value*` attribute that is given.
//! <https://onnx.ai/onnx/operators/onnx__Constant.html>
//!
//! Strings and sparse tensors are deliberately absent.

use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::schema::{Attr, Cx, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "Constant",
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::new("value", AttrKind::Tensor, Preset::Absent),
        Attr::new("value_float", AttrKind::Float, Preset::Absent).since(12),
        Attr::new("value_floats", AttrKind::Floats, Preset::Absent).since(12),
        Attr::new("value_int", AttrKind::Int, Preset::Absent).since(12),
        Attr::new("value_ints", AttrKind::Ints, Preset::Absent).since(12),
    ],
    infer: |cx| Ok(vec![value(cx)?.ty()]),
    semantics: |cx| {
        let value = value(cx)?;
        let mut c = Composer::new(cx);
        let y = c.constant(value);
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn value(cx: &Cx) -> Result<Tensor, TypeError> {
    let mut given = DEF.attrs.iter().filter_map(|a| cx.attrs.get(a.name));
    match (given.next(), given.next()) {
        (Some(value), None) => match value {
            AttrValue::Tensor(t) => Ok(t.clone()),
            AttrValue::Float(v) => Ok(Tensor::scalar_f64(DType::F32, *v)),
            AttrValue::Floats(v) => Ok(Tensor::from_f64(DType::F32, &[v.len()], v)),
            AttrValue::Int(v) => Ok(Tensor::scalar_i64(DType::I64, *v)),
            AttrValue::Ints(v) => Ok(Tensor::ints(v)),
            other => Err(cx.unsupported(format!("a value of kind {:?}", other.kind()))),
        },
        _ => Err(cx.error("exactly one of the value attributes must be given")),
    }
}
