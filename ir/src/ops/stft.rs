//! STFT: the discrete Fourier transform of every frame of a signal `[N, length, 1 or 2]`, `frame_step` apart, times a window;
//! `[N, frames, bins, 2]`. <https://onnx.ai/onnx/operators/onnx__STFT.html>
//!
//! Computed as a convolution with the rows of the transform's matrix.

use super::fourier::Transform;
use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::ops::OpKind::{Conv, Mul};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::TensorType;

pub static DEF: OpDef = OpDef {
    name: "STFT",
    since: 17,
    inputs: &[
        Input::new("signal", "T1"),
        Input::new("frame_step", "T2"),
        Input::new("window", "T1").optional(),
        Input::new("frame_length", "T2").optional(),
    ],
    outputs: &[Output::new("output", "T1")],
    types: &[("T1", sets::FLOAT), ("T2", sets::INDEX)],
    attrs: &[Attr::int("onesided", 1)],
    infer: |cx| {
        let form = form(cx)?;
        let (bins, parts) = form.transform.results();
        let shape = [form.batch, form.frames, bins, parts];
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics: |cx| {
        let Form {
            batch,
            step,
            frames,
            transform,
        } = form(cx)?;
        let (dtype, length) = (cx.dtype(0)?, transform.length);
        let (bins, parts) = transform.results();
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let x = c.cast(x, dtype.compute())?;
        let x = c.reshape(x, &[batch, cx.extent(0, 1)? as usize, transform.parts])?;
        let x = c.transpose(x, &[0, 2, 1])?;
        let matrix = c.constant(transform.matrix(dtype.compute()));
        let kernel = c.reshape(matrix, &[length, transform.parts, bins * parts])?;
        let mut kernel = c.transpose(kernel, &[2, 1, 0])?;
        if let Some(window) = c.get(2) {
            let window = c.cast(window, dtype.compute())?;
            kernel = c.op(Mul, &[kernel, window])?;
        }
        let y = c.with(
            Conv,
            &[x, kernel],
            [("strides", AttrValue::Ints(vec![step as i64]))],
        )?;
        let y = c.transpose(y, &[0, 2, 1])?;
        let y = c.reshape(y, &[batch, frames, bins, parts])?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    ..OpDef::NEW
};

struct Form {
    batch: usize,
    step: usize,
    frames: usize,
    transform: Transform,
}

fn form(cx: &Cx) -> Result<Form, TypeError> {
    let (batch, samples, parts) = match cx.shape(0)?[..] {
        [batch, samples] => (batch, samples, 1),
        [batch, samples, parts] => (batch, samples, parts),
        _ => {
            return Err(cx.error(format!(
                "the signal must have the shape [N,length,1 or 2], is {}",
                cx.ty(0)?
            )));
        }
    };
    let positive = |i: usize| {
        let value = cx.const_int(i)?;
        usize::try_from(value)
            .ok()
            .filter(|&v| v > 0)
            .ok_or_else(|| cx.error(format!("input {i} must be positive, is {value}")))
    };
    let step = positive(1)?;
    let window = match cx.get(2).map(|w| w.ty) {
        Some(w) if w.rank() != 1 => {
            return Err(cx.error(format!("the window must be a vector, is {w}")));
        }
        Some(_) => Some(cx.extent(2, 0)? as usize),
        None => None,
    };
    let length = match (cx.has(3), window) {
        (true, _) => positive(3)?,
        (false, Some(window)) => window,
        (false, None) => samples,
    };
    if window.is_some_and(|w| w != length) || length > samples {
        return Err(cx.error(format!(
            "a frame of {length} samples does not fit a signal of {samples}, or a window of {}",
            window.unwrap_or(length)
        )));
    }
    let transform = Transform {
        samples: length,
        parts,
        length,
        inverse: false,
        onesided: cx.flag("onesided")?,
    };
    transform.check(cx)?;
    let frames = 1 + (samples - length) / step;
    Ok(Form {
        batch,
        step,
        frames,
        transform,
    })
}
