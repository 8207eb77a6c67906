//! Reading an image between its pixels, at positions that data chooses: what GridSample and DeformConv share.
//!
//! Along each axis a position has one tap (nearest), two (linear) or four (cubic), each an index and a weight. The taps of all axes
//! are combined: every combination is one GatherElements over the flattened image, weighted and added.

use crate::attrs::AttrValue;
use crate::compose::Composer;
use crate::expr::{BinaryOp, Ex, UnaryOp};
use crate::graph::Value;
use crate::ops::OpKind::{Expand, GatherElements};
use crate::schema::TypeError;
use crate::types::{DType, dense_strides};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    Nearest,
    Linear,
    Cubic,
}

/// What lies outside of the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    Zeros,
    Border,
    Reflection,
}

#[derive(Clone, Copy)]
pub struct Sampling {
    pub interpolation: Interpolation,
    pub padding: Padding,
    /// Whether the image ends at the centres of its outermost pixels, not at their edges; reflection turns there.
    pub align_corners: bool,
}

/// Coefficient of Keys' cubic convolution, as everywhere in ONNX's sampling operators.
const CUBIC: f64 = -0.75;

/// Samples `x[B, C, sizes..]` at `positions`, one `[B, P]` in pixels for each axis, giving `[B, C, P]`.
pub fn sample(
    c: &mut Composer,
    x: Value,
    positions: &[Value],
    how: Sampling,
) -> Result<Value, TypeError> {
    let (dtype, shape) = (c.ty(x).dtype, c.ty(x).fixed_shape().unwrap_or_default());
    let (sizes, strides) = (&shape[2..], dense_strides(&shape[2..]));
    let points = c.ty(positions[0]).fixed_shape().unwrap_or_default()[1];
    let (batch, channels) = (shape[0], shape[1]);
    let pixels = c.reshape(x, &[batch, channels, sizes.iter().product()])?;
    let target = c.ints(&[batch as i64, channels as i64, points as i64]);
    let mut axes = Vec::with_capacity(sizes.len());
    for (&position, &size) in positions.iter().zip(sizes) {
        axes.push(taps(c, position, size, dtype, how)?);
    }
    let mut sum = None;
    for combination in combinations(&axes) {
        let indices: Vec<Value> = combination.iter().map(|t| t.index).collect();
        let index = c.map(&flat_index(&strides), &indices)?;
        let index = c.reshape(index, &[batch, 1, points])?;
        let index = c.op(Expand, &[index, target])?;
        let value = c.with(
            GatherElements,
            &[pixels, index],
            [("axis", AttrValue::Int(2))],
        )?;
        let mut operands = vec![value];
        for tap in &combination {
            operands.push(c.reshape(tap.weight, &[batch, 1, points])?);
        }
        let product = |from: usize| {
            (from + 1..from + operands.len())
                .fold(Ex::arg(from, dtype), |p, i| p * Ex::arg(i, dtype))
        };
        sum = Some(match sum {
            None => c.map(&product(0), &operands)?,
            Some(sum) => {
                let expr = Ex::arg(0, dtype) + product(1);
                operands.insert(0, sum);
                c.map(&expr, &operands)?
            }
        });
    }
    Ok(sum.unwrap_or(x))
}

/// One tap along one axis: index (i64, in range) and weight, both `[B, P]`.
#[derive(Clone, Copy)]
struct Tap {
    index: Value,
    weight: Value,
}

/// One tap of every axis, in all ways.
fn combinations(axes: &[Vec<Tap>]) -> Vec<Vec<Tap>> {
    axes.iter().fold(vec![Vec::new()], |all, taps| {
        let extend = |c: &Vec<Tap>| -> Vec<Vec<Tap>> {
            taps.iter()
                .map(|&t| [c.as_slice(), &[t]].concat())
                .collect()
        };
        all.iter().flat_map(extend).collect()
    })
}

fn flat_index(strides: &[usize]) -> Ex {
    let term = |(a, &stride): (usize, &usize)| Ex::arg(a, DType::I64) * stride as f64;
    let mut terms = strides.iter().enumerate().map(term);
    let first = terms.next().unwrap_or_else(|| Ex::int(DType::I64, 0));
    terms.fold(first, |sum, t| sum + t)
}

fn taps(
    c: &mut Composer,
    position: Value,
    size: usize,
    weight: DType,
    how: Sampling,
) -> Result<Vec<Tap>, TypeError> {
    let offsets = match how.interpolation {
        Interpolation::Nearest => 0..1,
        Interpolation::Linear => 0..2,
        Interpolation::Cubic => -1..3,
    };
    let axis = AxisRange::new(size, how);
    let p = axis.start(&Ex::arg(0, c.ty(position).dtype), how);
    let mut taps = Vec::new();
    for offset in offsets {
        let pixel = p.floor() + f64::from(offset);
        let index = axis.pixel(&pixel).cast(DType::I64);
        let distance = &p - &pixel;
        let mut w = weigh(&distance.abs(), how.interpolation);
        if how.padding == Padding::Zeros {
            let inside = pixel
                .lit(0.0)
                .le(&pixel)
                .and(&pixel.le(&pixel.lit(axis.last)));
            w = inside.select(&w, &w.lit(0.0));
        }
        taps.push(Tap {
            index: c.map(&index, &[position])?,
            weight: c.map(&w.cast(weight), &[position])?,
        });
    }
    Ok(taps)
}

/// Weight of a pixel at a distance of less than two.
fn weigh(d: &Ex, interpolation: Interpolation) -> Ex {
    match interpolation {
        Interpolation::Nearest => d.lit(1.0),
        Interpolation::Linear => d.lit(1.0) - d,
        Interpolation::Cubic => {
            let near = (d * (CUBIC + 2.0) - d.lit(CUBIC + 3.0)) * d * d + 1.0;
            let far = ((d * CUBIC - d.lit(5.0 * CUBIC)) * d + 8.0 * CUBIC) * d - d.lit(4.0 * CUBIC);
            d.le(&d.lit(1.0)).select(&near, &far)
        }
    }
}

/// Where an axis begins and ends.
struct AxisRange {
    /// Index of the last pixel.
    last: f64,
    low: f64,
    high: f64,
    padding: Padding,
}

impl AxisRange {
    fn new(size: usize, how: Sampling) -> AxisRange {
        let last = size as f64 - 1.0;
        let edge = if how.align_corners { 0.0 } else { 0.5 };
        // A single aligned pixel leaves no way to reflect: it is its own border.
        let single = last + 2.0 * edge <= 0.0;
        let padding = match how.padding {
            Padding::Reflection if single => Padding::Border,
            padding => padding,
        };
        AxisRange {
            last,
            low: -edge,
            high: last + edge,
            padding,
        }
    }

    /// The position from which taps count: rounded for nearest, and brought back where it leaves the image.
    fn start(&self, position: &Ex, how: Sampling) -> Ex {
        let p = match how.interpolation {
            Interpolation::Nearest => position.round(),
            _ => position.clone(),
        };
        let outside = p.lt(&p.lit(self.low)).or(&p.lit(self.high).lt(&p));
        match self.padding {
            Padding::Zeros => p,
            Padding::Border => outside.select(&p.clamp(0.0, self.last), &p),
            Padding::Reflection => outside.select(&self.reflect(&p), &p),
        }
    }

    /// The index of a pixel, in range.
    fn pixel(&self, pixel: &Ex) -> Ex {
        let inside = match self.padding {
            Padding::Reflection => self.reflect(pixel).unary(UnaryOp::Trunc),
            _ => pixel.clone(),
        };
        inside.clamp(0.0, self.last)
    }

    /// To and fro between the borders.
    fn reflect(&self, p: &Ex) -> Ex {
        let range = self.high - self.low;
        let phase = (p - &p.lit(self.low)).binary(BinaryOp::Mod, &p.lit(2.0 * range));
        p.lit(self.low + range) - (phase - p.lit(range)).abs()
    }
}
