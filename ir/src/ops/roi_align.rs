//! RoiAlign: every region of interest pooled to a fixed size, sampling bilinearly between pixels.
//! <https://onnx.ai/onnx/operators/onnx__RoiAlign.html>, He et al., arXiv:1703.06870.

use crate::attrs::AttrValue;
use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "RoiAlign",
    since: 10,
    inputs: &[
        Input::new("X", "T1"),
        Input::new("rois", "T1"),
        Input::new("batch_indices", "i64"),
    ],
    outputs: &[Output::new("Y", "T1")],
    types: &[("T1", sets::FLOAT)],
    attrs: &[
        Attr::str("coordinate_transformation_mode", "half_pixel").since(16),
        Attr::str("mode", "avg"),
        Attr::int("output_height", 1),
        Attr::int("output_width", 1),
        Attr::int("sampling_ratio", 0),
        Attr::float("spatial_scale", 1.0),
    ],
    infer: |cx| {
        let (x, rois, batch) = (cx.ty(0)?, cx.ty(1)?, cx.ty(2)?);
        if x.rank() != 4 || rois.rank() != 2 || rois.shape[1] != Dim::Fixed(4) {
            return Err(cx.error(format!(
                "X must have the shape [N,C,H,W] and rois [R,4], are {x} and {rois}"
            )));
        }
        if batch.rank() != 1 || batch.shape[0] != rois.shape[0] {
            return Err(cx.error(format!(
                "batch_indices must have the shape [{}], one entry a region, is {batch}",
                rois.shape[0]
            )));
        }
        routine(cx)?;
        let [height, width] = output(cx)?;
        let shape = [
            rois.shape[0].clone(),
            x.shape[1].clone(),
            height.into(),
            width.into(),
        ];
        Ok(vec![TensorType::new(x.dtype, shape)])
    },
    semantics: |cx| Ok(Semantics::Index(routine(cx)?)),
    // Before opset 16 there was no half pixel.
    adapt: Some(|node| {
        if node.opset < 16 {
            node.attrs.insert(
                "coordinate_transformation_mode".into(),
                AttrValue::Str("output_half_pixel".into()),
            );
        }
        Ok(())
    }),
    ..OpDef::NEW
};

fn output(cx: &Cx) -> Result<[usize; 2], TypeError> {
    let positive = |name: &'static str| {
        let v = cx.int(name)?;
        usize::try_from(v)
            .ok()
            .filter(|&v| v > 0)
            .ok_or_else(|| cx.attr_error(name, format!("must be positive, is {v}")))
    };
    Ok([positive("output_height")?, positive("output_width")?])
}

fn routine(cx: &Cx) -> Result<Index, TypeError> {
    let either = |name: &'static str, no: &str, yes: &str| match cx.str(name)? {
        v if v == no => Ok(false),
        v if v == yes => Ok(true),
        v => Err(cx.attr_error(name, format!("must be {no} or {yes}, is '{v}'"))),
    };
    let sampling_ratio = cx.int("sampling_ratio")?;
    if !(0..=1 << 20).contains(&sampling_ratio) {
        return Err(cx.attr_error(
            "sampling_ratio",
            format!("must be 0 or a small positive number, is {sampling_ratio}"),
        ));
    }
    Ok(Index::RoiAlign {
        mode_max: either("mode", "avg", "max")?,
        half_pixel: either(
            "coordinate_transformation_mode",
            "output_half_pixel",
            "half_pixel",
        )?,
        sampling_ratio,
        spatial_scale: cx.float("spatial_scale")?,
        output: output(cx)?,
    })
}
