//! DFT: `y[k] = sum_n x[n] e^(-2 pi i k n / length)` along `axis`, complex values as pairs in the last axis; the inverse has the
//! other sign and divides by the length. <https://onnx.ai/onnx/operators/onnx__DFT.html>
//!
//! Computed as a product with the matrix of the transform.

use super::fourier::Transform;
use crate::attrs::{AttrKind, AttrValue};
use crate::compose::Composer;
use crate::ops::OpKind::MatMul;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "DFT",
    since: 17,
    inputs: &[
        Input::new("input", "T1"),
        Input::new("dft_length", "T2").optional(),
        Input::new("axis", "i64").optional().since(20),
    ],
    outputs: &[Output::new("output", "T1")],
    types: &[("T1", sets::FLOAT), ("T2", sets::INDEX)],
    attrs: &[
        Attr::new("axis", AttrKind::Int, Preset::Absent)
            .until(19)
            .becomes_input(2),
        Attr::int("inverse", 0),
        Attr::int("onesided", 0),
    ],
    infer: |cx| {
        let (axis, transform) = form(cx)?;
        let (results, parts) = transform.results();
        let mut shape = cx.ty(0)?.shape.clone();
        shape[axis] = results.into();
        if let Some(last) = shape.last_mut() {
            *last = parts.into();
        }
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics: |cx| {
        let (axis, transform) = form(cx)?;
        let (shape, dtype) = (cx.shape(0)?, cx.dtype(0)?);
        let (results, parts) = transform.results();
        let rank = shape.len();
        // The axis next to the parts, and back: its own inverse.
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(axis, rank - 2);
        let mut lead: Vec<usize> = perm[..rank - 2].iter().map(|&a| shape[a]).collect();
        let mut c = Composer::new(cx);
        let x = c.arg(0);
        let x = c.cast(x, dtype.compute())?;
        let x = c.transpose(x, &perm)?;
        let rows: usize = lead.iter().product();
        let x = c.reshape(x, &[rows, transform.samples * transform.parts])?;
        let matrix = c.constant(transform.matrix(dtype.compute()));
        let y = c.op(MatMul, &[x, matrix])?;
        lead.extend([results, parts]);
        let y = c.reshape(y, &lead)?;
        let y = c.transpose(y, &perm)?;
        let y = c.cast(y, dtype)?;
        c.finish(&[y])
    },
    adapt: Some(|node| {
        if node.opset < 20 {
            let axis = node.attrs.entry("axis".to_string());
            axis.or_insert(AttrValue::Int(1));
        }
        Ok(())
    }),
    ..OpDef::NEW
};

fn form(cx: &Cx) -> Result<(usize, Transform), TypeError> {
    let x = cx.ty(0)?;
    if x.rank() < 2 {
        return Err(cx.error(format!("the input must have at least 2 dimensions, is {x}")));
    }
    let axis = if cx.has(2) { cx.const_int(2)? } else { -2 };
    let axis = cx.normalize_axis(axis, x.rank())?;
    if axis == x.rank() - 1 {
        return Err(cx.error("the axis must not be the last, which holds real and imaginary part"));
    }
    let (samples, parts) = (
        cx.extent(0, axis)? as usize,
        x.shape.last().and_then(Dim::fixed).unwrap_or(0) as usize,
    );
    let (inverse, onesided) = (cx.flag("inverse")?, cx.flag("onesided")?);
    let length = match cx.has(1) {
        true => usize::try_from(cx.const_int(1)?).map_err(|_| {
            cx.error(format!(
                "dft_length must be positive, is {}",
                cx.const_int(1).unwrap_or(0)
            ))
        })?,
        false if inverse && onesided => samples.saturating_sub(1).saturating_mul(2),
        false => samples,
    };
    let transform = Transform {
        samples,
        parts,
        length,
        inverse,
        onesided,
    };
    transform.check(cx)?;
    Ok((axis, transform))
}
