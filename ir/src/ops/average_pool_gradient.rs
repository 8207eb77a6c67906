//! AveragePoolGradient: the gradient of AveragePool with respect to its input X, of which only the shape is read. Every element of
//! a window gets the window's gradient over the number of elements that its mean counted:
//! `dx[i] = sum_{o: i in window o} dy[o] / count(o)`.

use crate::attrs::AttrValue;
use crate::class::{Semantics, Window, WindowKind};
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::ops::{average_pool, max_pool_gradient, pooling};
use crate::schema::{CNNC, Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;

pub static DEF: OpDef = OpDef {
    name: "AveragePoolGradient",
    domain: CNNC,
    inputs: &[Input::new("X", "T"), Input::new("DY", "T")],
    outputs: &[Output::new("DX", "T")],
    types: &[("T", sets::FLOAT)],
    attrs: average_pool::ATTRS,
    infer: |cx| {
        max_pool_gradient::check(cx, &pooling::infer(cx)?)?;
        Ok(vec![cx.ty(0)?.clone()])
    },
    semantics,
    ..OpDef::NEW
};

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let count_pad = cx.flag("count_include_pad")?;
    let Semantics::Window(w) = pooling::semantics(cx, WindowKind::Average { count_pad })? else {
        return Err(cx.error("is no window"));
    };
    let mut c = Composer::new(cx);
    let (x, dy) = (c.arg(0), c.arg(1));
    let shape = c.ty(x).fixed_shape().unwrap_or_default();
    let made = c.ty(dy).fixed_shape().unwrap_or_default();
    let dtype = cx.dtype(0)?;
    let mut shares_shape = vec![1, 1];
    shares_shape.extend(&made[2..]);
    let shares = shares(&w, &shape[2..], &made[2..], count_pad);
    let shares = c.constant(Tensor::from_f64(dtype, &shares_shape, &shares));
    let dy = c.op(OpKind::Mul, &[dy, shares])?;
    // What a depthwise convolution by ones has summed, its transpose spreads.
    let channels = shape[1];
    let mut filter = vec![channels, 1];
    filter.extend(&w.kernel);
    let ones = vec![1.0; filter.iter().product()];
    let ones = c.constant(Tensor::from_f64(dtype, &filter, &ones));
    let (ends, padding) = transposed_ends(&w, &shape[2..], &made[2..]);
    let ints = |v: &[usize]| AttrValue::Ints(v.iter().map(|&v| v as i64).collect());
    let dx = c.with(
        OpKind::ConvTranspose,
        &[dy, ones],
        [
            ("group", AttrValue::Int(channels as i64)),
            ("strides", ints(&w.strides)),
            ("dilations", ints(&w.dilations)),
            ("pads", ints(&[&w.pads_begin[..], &ends[..]].concat())),
            ("output_padding", ints(&padding)),
        ],
    )?;
    c.finish(&[dx])
}

/// One over the number of elements that each window's mean counts, in row-major order.
fn shares(w: &Window, input: &[usize], output: &[usize], count_pad: bool) -> Vec<f64> {
    let mut shares = vec![1.0];
    for a in 0..input.len() {
        let counts = (0..output[a]).map(|o| {
            let start = (o * w.strides[a]) as i64 - w.pads_begin[a] as i64;
            let cells = (0..w.kernel[a]).map(|k| start + (k * w.dilations[a]) as i64);
            let end = input[a] as i64;
            let counted = |i: &i64| match count_pad {
                true => *i < end + w.pads_end[a] as i64,
                false => (0..end).contains(i),
            };
            cells.filter(counted).count().max(1) as f64
        });
        let counts: Vec<f64> = counts.collect();
        shares = shares
            .iter()
            .flat_map(|s| counts.iter().map(move |c| s / c))
            .collect();
    }
    shares
}

/// The end pads and output padding of a transposed convolution from `output` back to `input` sizes.
fn transposed_ends(w: &Window, input: &[usize], output: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let ends = (0..input.len()).map(|a| {
        let full = (output[a] - 1) * w.strides[a] + (w.kernel[a] - 1) * w.dilations[a] + 1;
        let wanted = input[a] + w.pads_begin[a];
        (full.saturating_sub(wanted), wanted.saturating_sub(full))
    });
    ends.unzip()
}
