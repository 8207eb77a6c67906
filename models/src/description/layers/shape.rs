//! Layers that move elements; axes are counted without the batch where they are said.

use super::super::call::Call;
use super::Built;
use cnnc_ir::{AttrValue, OpKind, Tensor};

/// N x everything else.
pub fn flatten(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    call.op(OpKind::Flatten, &[x], [])
}

/// N x `shape`; one extent may be -1: what is left.
pub fn reshape(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let shape = call.ints("shape")?.unwrap_or(vec![-1]);
    if shape.contains(&0) {
        return Err(call.fault("extents must be above 0, or -1 for what is left"));
    }
    call.reshape(x, &[&[0], &shape[..]].concat())
}

/// The batch stays; `axes` order the others, the first being 1.
pub fn transpose(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let axes = call.ints("axes")?.unwrap_or_default();
    let perm = AttrValue::Ints([&[0], &axes[..]].concat());
    call.op(OpKind::Transpose, &[x], [("perm", perm)])
}

/// A frame of `value` (0) around the spatial axes.
pub fn pad(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let rank = call.ty(x).rank().saturating_sub(2);
    let pads = match call.ints("width")?.unwrap_or(vec![0]) {
        pads if pads.len() == 1 => vec![pads[0]; 2 * rank],
        pads if pads.len() == rank => [&pads[..], &pads].concat(),
        pads => pads,
    };
    if pads.len() != 2 * rank {
        let message = format!("width must be one, {rank} or {} whole numbers", 2 * rank);
        return Err(call.fault(message));
    }
    let (before, behind) = pads.split_at(rank);
    let pads = [&[0, 0], before, &[0, 0], behind].concat();
    let pads = call.constant(Tensor::ints(&pads));
    let value = call.number_or("value", 0.0)?;
    let value = call.scalar(x, value);
    call.op(OpKind::Pad, &[x, pads, value], [])
}

/// Spatial axes times `factor`, each element repeated (`nearest`) or interpolated (`linear`).
pub fn upsample(call: &mut Call) -> Built {
    let (x, factor) = (call.tensor("x")?, call.count("factor")?);
    let mode = call.word("mode", &["nearest", "linear"])?;
    let mode = mode.unwrap_or("nearest".into());
    let coordinates = match mode.as_str() {
        "nearest" => "asymmetric",
        _ => "half_pixel",
    };
    let rank = call.ty(x).rank();
    let scales: Vec<f64> = (0..rank)
        .map(|a| if a < 2 { 1.0 } else { factor as f64 })
        .collect();
    let scales = Tensor::from_f64(cnnc_ir::DType::F32, &[rank], &scales);
    let scales = call.constant(scales);
    let text = |text: &str| AttrValue::Str(text.to_string());
    let outputs = call.multi(
        OpKind::Resize,
        vec![Some(x), None, Some(scales)],
        [
            ("mode", text(&mode)),
            ("coordinate_transformation_mode", text(coordinates)),
            ("nearest_mode", text("floor")),
        ],
        1,
    )?;
    outputs
        .first()
        .copied()
        .ok_or_else(|| call.fault("has no output"))
}
