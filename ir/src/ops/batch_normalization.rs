//! BatchNormalization: `y = (x - mean) / sqrt(var + epsilon) * scale + B` for each channel; in training mode with the moments of
//! the batch, which also move the running ones: `running = input * momentum + batch * (1 - momentum)`.
//! <https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>, Ioffe and Szegedy, arXiv:1502.03167.
//!
//! In inference the four vectors become one scale and one shift, so that constants fold and the convolution before can take both.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind::*;
use crate::ops::normalization::{
    affine, batch_axes, batch_moments, check_channels, deviation, operand, per_channel,
};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};

pub static DEF: OpDef =
    OpDef {
        name: "BatchNormalization",
        inputs: &[
            Input::new("X", "T"),
            Input::new("scale", "T1"),
            Input::new("B", "T1"),
            Input::new("input_mean", "T2"),
            Input::new("input_var", "T2"),
        ],
        outputs: &[
            Output::new("Y", "T"),
            Output::new("running_mean", "T2").optional(),
            Output::new("running_var", "T2").optional(),
        ],
        types: &[("T", sets::FLOAT), ("T1", sets::FLOAT), ("T2", sets::FLOAT)],
        attrs: &[
            Attr::new("consumed_inputs", AttrKind::Ints, Preset::Absent).until(5),
            Attr::float("epsilon", 1e-5),
            Attr::int("is_test", 0).until(6),
            Attr::float("momentum", 0.9),
            Attr::int("spatial", 1).until(8),
            Attr::int("training_mode", 0).since(14),
        ],
        infer: |cx| {
            check_channels(cx, &[1, 2, 3, 4])?;
            if cx.outputs > 1 && !cx.flag("training_mode")? {
                return Err(cx.error("has more than one output only in training_mode"));
            }
            Ok(vec![
                cx.ty(0)?.clone(),
                cx.ty(3)?.clone(),
                cx.ty(4)?.clone(),
            ])
        },
        semantics: |cx| {
            if cx.flag("training_mode")? {
                training(cx)
            } else {
                inference(cx)
            }
        },
        adapt: Some(|node| match node.attrs.remove("spatial") {
            Some(AttrValue::Int(0)) => Err(node
                .error("attribute spatial = 0 (statistics for each activation) is not supported")),
            _ => {
                node.attrs.remove("is_test");
                node.attrs.remove("consumed_inputs");
                Ok(())
            }
        }),
        ..OpDef::NEW
    };

fn inference(cx: &Cx) -> Result<Semantics, TypeError> {
    let rank = cx.rank(0)?;
    let mut c = Composer::new(cx);
    let [x, scale, bias, mean, variance] = operands(&mut c, cx)?;
    let deviation = deviation(&mut c, cx, variance)?;
    let scale = c.op(Div, &[scale, deviation])?;
    let moved = c.op(Mul, &[mean, scale])?;
    let shift = c.op(Sub, &[bias, moved])?;
    let scale = per_channel(&mut c, scale, rank)?;
    let shift = per_channel(&mut c, shift, rank)?;
    let y = affine(&mut c, x, scale, Some(shift))?;
    let y = c.cast(y, cx.dtype(0)?)?;
    c.finish(&[y])
}

fn training(cx: &Cx) -> Result<Semantics, TypeError> {
    let rank = cx.rank(0)?;
    let mut c = Composer::new(cx);
    let [x, scale, bias, mean, variance] = operands(&mut c, cx)?;
    let [batch_mean, batch_variance] = batch_moments(&mut c, x)?;
    let deviation = deviation(&mut c, cx, batch_variance)?;
    let scale = per_channel(&mut c, scale, rank)?;
    let bias = per_channel(&mut c, bias, rank)?;
    let factor = c.op(Div, &[scale, deviation])?;
    let [x_arg, mean_arg, factor_arg, bias_arg] = [0, 1, 2, 3].map(|k| Ex::arg(k, c.ty(x).dtype));
    let y = (x_arg - mean_arg) * factor_arg + bias_arg;
    let y = c.map(&y, &[x, batch_mean, factor, bias])?;
    let mut outputs = vec![c.cast(y, cx.dtype(0)?)?];
    for (old, new) in [(mean, batch_mean), (variance, batch_variance)] {
        let axes = c.ints(&batch_axes(rank));
        let new = c.op(Squeeze, &[new, axes])?;
        let moved = blend(&mut c, old, new, cx.float("momentum")?)?;
        outputs.push(c.cast(moved, cx.dtype(3)?)?);
    }
    c.finish(&outputs[..cx.outputs.clamp(1, 3)])
}

fn operands(c: &mut Composer, cx: &Cx) -> Result<[Value; 5], TypeError> {
    let compute = cx.dtype(0)?.compute();
    let mut values = [c.arg(0); 5];
    for (i, v) in values.iter_mut().enumerate() {
        *v = operand(c, i, compute)?;
    }
    Ok(values)
}

/// `old * momentum + new * (1 - momentum)`.
fn blend(c: &mut Composer, old: Value, new: Value, momentum: f64) -> Result<Value, TypeError> {
    let dtype = c.ty(old).dtype;
    let keep = c.scalar(dtype, momentum);
    let take = c.scalar(dtype, 1.0 - momentum);
    let kept = c.op(Mul, &[old, keep])?;
    let taken = c.op(Mul, &[new, take])?;
    c.op(Add, &[kept, taken])
}
