//! Upsample: the deprecated forerunner of Resize; files of opsets 7 to 9 are read as Resize.
//! <https://onnx.ai/onnx/operators/onnx__Upsample.html>

use crate::attrs::{AttrKind, AttrValue};
use crate::schema::{AdaptInput, Attr, Input, OpDef, sets};
use crate::tensor::Tensor;
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "Upsample",
    until: 9,
    inputs: &[Input::new("X", "T"), Input::new("scales", "f32").since(9)],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::str("mode", "nearest"),
        Attr::required("scales", AttrKind::Floats).since(7).until(8),
        Attr::required("height_scale", AttrKind::Float).until(6),
        Attr::required("width_scale", AttrKind::Float).until(6),
    ],
    infer: |cx| Err(cx.unsupported("the operator ended with opset 9: write Resize")),
    adapt: Some(|node| {
        let mut scale = |name: &str| match node.attrs.remove(name) {
            Some(AttrValue::Float(v)) => vec![v],
            Some(AttrValue::Floats(v)) => v,
            _ => Vec::new(),
        };
        let mut scales = scale("scales");
        let (height, width) = (scale("height_scale"), scale("width_scale"));
        if !height.is_empty() {
            scales = [vec![1.0, 1.0], height, width].concat();
        }
        if !scales.is_empty() {
            node.set_input(1, Tensor::from_f64(DType::F32, &[scales.len()], &scales));
        }
        node.inputs
            .insert(node.inputs.len().min(1), AdaptInput::Absent);
        for (name, value) in [
            ("coordinate_transformation_mode", "asymmetric"),
            ("nearest_mode", "floor"),
        ] {
            node.attrs.insert(name.into(), AttrValue::Str(value.into()));
        }
        node.rename = Some("Resize");
        Ok(())
    }),
    ..OpDef::NEW
};
