//! The terms of the loss.

use super::{Settings, StyleError, Targets};
use cnnc_ir::{Composer, DType, Ex, OpKind, Tensor, TypeError, Value};

/// The loss, and its terms content, style and variation, which add up to it; scalars.
pub(super) fn losses(
    c: &mut Composer,
    image: Value,
    [content, style]: [&[Value]; 2],
    settings: &Settings,
    targets: &Targets,
) -> Result<[Value; 4], StyleError> {
    let values = c.ty(image).elements().unwrap_or(0) as f64;
    let content = errors(c, content, &targets.content)?;
    let content = mean(c, &content, values * settings.content_weight)?;
    let mut grams = Vec::with_capacity(style.len());
    for &layer in style {
        grams.push(gram(c, layer)?);
    }
    let style = errors(c, &grams, &targets.style)?;
    let style = mean(c, &style, values * settings.style_weight)?;
    let variation = variation(c, image)?;
    let variation = scaled(c, variation, settings.variation_weight)?;
    let [x, y, z] = [0, 1, 2].map(|k| Ex::arg(k, DType::F32));
    let loss = c.map(&(x + y + z), &[content, style, variation])?;
    Ok([loss, content, style, variation])
}

/// Gram's matrix of features `[1, C, H, W]`: `F Fᵀ / (H W)`, `[C, C]`.
pub(super) fn gram(c: &mut Composer, features: Value) -> Result<Value, TypeError> {
    let shape = c.ty(features).fixed_shape().unwrap_or_default();
    let channels = shape.get(1).copied().unwrap_or(1);
    let positions: usize = shape.iter().skip(2).product();
    let rows = c.reshape(features, &[channels, positions])?;
    let columns = c.transpose(rows, &[1, 0])?;
    let product = c.op(OpKind::MatMul, &[rows, columns])?;
    scaled(c, product, 1.0 / positions as f64)
}

/// The sum over neighbours, across and down, of the squares of differences in levels, 0 to 255 (Mahendran and Vedaldi, "Understanding deep
/// image representations by inverting them", 2015, with exponent 2).
pub(super) fn variation(c: &mut Composer, image: Value) -> Result<Value, TypeError> {
    let shape = c.ty(image).fixed_shape().unwrap_or_default();
    let mut sums = Vec::new();
    for (axis, &extent) in shape.iter().enumerate().skip(2) {
        let before = c.slice(image, axis, 0, extent as i64 - 1)?;
        let behind = c.slice(image, axis, 1, extent as i64)?;
        sums.push(squares(c, behind, before)?);
    }
    let [across, down] = [0, 1].map(|k| Ex::arg(k, DType::F32));
    c.map(&((across + down) * (255.0 * 255.0)), &sums)
}

/// Each value's squared distance from its target, relative to the target's own square.
fn errors(
    c: &mut Composer,
    values: &[Value],
    targets: &[Tensor],
) -> Result<Vec<Value>, StyleError> {
    if values.len() != targets.len() {
        return Err(StyleError::Targets {
            expected: values.len(),
            found: targets.len(),
        });
    }
    let mut errors = Vec::with_capacity(values.len());
    for (&value, target) in values.iter().zip(targets) {
        let norm: f64 = target.to_f64().iter().map(|x| x * x).sum();
        let target = c.constant(target.clone());
        let distance = squares(c, value, target)?;
        // Of nothing there is no share.
        let norm = if norm > 0.0 { norm } else { 1.0 };
        errors.push(scaled(c, distance, 1.0 / norm)?);
    }
    Ok(errors)
}

/// The sum of `(x - y)²` over all elements.
fn squares(c: &mut Composer, x: Value, y: Value) -> Result<Value, TypeError> {
    let difference = Ex::arg(0, DType::F32) - Ex::arg(1, DType::F32);
    let each = c.map(&(&difference * &difference), &[x, y])?;
    let axes: Vec<i64> = (0..c.ty(each).rank() as i64).collect();
    c.reduce(OpKind::ReduceSum, each, &axes, false)
}

/// The mean of scalars, times `weight`.
fn mean(c: &mut Composer, terms: &[Value], weight: f64) -> Result<Value, TypeError> {
    let sum = (1..terms.len()).fold(Ex::arg(0, DType::F32), |sum, k| {
        sum + Ex::arg(k, DType::F32)
    });
    c.map(&(sum * (weight / terms.len() as f64)), terms)
}

fn scaled(c: &mut Composer, value: Value, factor: f64) -> Result<Value, TypeError> {
    c.map(&(Ex::arg(0, DType::F32) * factor), &[value])
}
