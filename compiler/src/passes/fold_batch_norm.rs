//! Per-channel affine maps after a convolution go into its weights and bias: `s (w x + b) + t = (s w) x + (s b + t)`.
//!
//! Taken from `BatchNormalization` (s = scale / sqrt(var + eps), t = bias - s mean) and from `Mul`, `Add`, `Sub`, `Div` by
//! constants of one element or one a channel. Computed in f64, rounded once. Left alone where s or t is not finite, so that an
//! infinity or NaN appears where the network's author put it.

use super::{PassError, PassOptions, at};
use cnnc_ir::{DType, Graph, NodeId, OpKind, Tensor, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        let Some(affine) = affine(graph, id) else {
            continue;
        };
        let conv = graph.node(affine.source.node);
        let op = conv.op().expect("affine maps follow a convolution").clone();
        let (x, w) = (
            conv.inputs[0],
            conv.inputs[1]
                .and_then(|w| graph.constant(w))
                .expect("constant weights"),
        );
        let bias = conv
            .inputs
            .get(2)
            .copied()
            .flatten()
            .and_then(|b| graph.constant(b))
            .map(Tensor::to_f64);
        let per_channel = w.len() / w.shape()[affine.weight_axis].max(1);
        let inner: usize = w.shape()[affine.weight_axis + 1..].iter().product();
        let channels = w.shape()[affine.weight_axis];
        debug_assert_eq!(per_channel * channels, w.len());
        let scaled: Vec<f64> = w
            .to_f64()
            .iter()
            .enumerate()
            .map(|(i, v)| v * affine.scale[i / inner.max(1) % channels])
            .collect();
        let shifted: Vec<f64> = (0..channels)
            .map(|m| bias.as_ref().map_or(0.0, |b| b[m]) * affine.scale[m] + affine.shift[m])
            .collect();
        let (w_shape, label) = (w.shape().to_vec(), conv.label.clone());
        let name = graph.value_name(affine.source).to_string();
        let w = graph.add_constant(
            &format!("{name}.weight"),
            Tensor::from_f64(DType::F32, &w_shape, &scaled),
        );
        let b = graph.add_constant(
            &format!("{name}.bias"),
            Tensor::from_f64(DType::F32, &[channels], &shifted),
        );
        let new = graph
            .add(op, vec![x, Some(w), Some(b)], &[&name], &label)
            .map_err(at("fold_batch_norm", graph, id))?;
        graph.replace_uses(id.into(), new.into());
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// `y = scale[m] * source[.., m, ..] + shift[m]`.
struct Affine {
    source: Value,
    weight_axis: usize,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

fn affine(graph: &Graph, id: NodeId) -> Option<Affine> {
    let node = graph.node(id);
    let op = node.op()?;
    if op.epilogue.is_some() || node.outputs.len() != 1 {
        return None;
    }
    let operand = |i: usize| node.inputs.get(i).copied().flatten();
    let (source, side) = match op.kind {
        OpKind::BatchNormalization => (operand(0)?, 0),
        OpKind::Mul | OpKind::Add => {
            if foldable(graph, operand(0)?).is_some() {
                (operand(0)?, 1)
            } else {
                (operand(1)?, 0)
            }
        }
        OpKind::Sub | OpKind::Div => (operand(0)?, 1),
        _ => return None,
    };
    let weight_axis = foldable(graph, source)?;
    let rank = graph.ty(source).rank();
    let channels = graph.ty(source).shape[1].fixed()? as usize;
    let (scale, shift) = if op.kind == OpKind::BatchNormalization {
        batch_norm(graph, id, channels)?
    } else {
        let t = graph.constant(operand(side)?)?;
        let v = channel_values(t, rank, channels)?;
        match op.kind {
            OpKind::Mul => (v, vec![0.0; channels]),
            OpKind::Div => (v.iter().map(|d| 1.0 / d).collect(), vec![0.0; channels]),
            OpKind::Add => (vec![1.0; channels], v),
            _ => (vec![1.0; channels], v.iter().map(|s| -s).collect()),
        }
    };
    let finite = scale.iter().chain(&shift).all(|v| v.is_finite());
    (finite && node.outputs[0].ty == *graph.ty(source)).then_some(Affine {
        source,
        weight_axis,
        scale,
        shift,
    })
}

/// The axis of the weights that counts output channels, if `v` is the f32 result of a convolution with constant weights that
/// only one operator uses.
fn foldable(graph: &Graph, v: Value) -> Option<usize> {
    graph.single_user(v)?;
    let node = graph.node(v.node);
    let op = node.op()?;
    let axis = match op.kind {
        OpKind::Conv => 0,
        OpKind::ConvTranspose
            if matches!(
                op.attrs.get("group"),
                None | Some(cnnc_ir::AttrValue::Int(1))
            ) =>
        {
            1
        }
        _ => return None,
    };
    let constant = |i: usize| {
        node.inputs
            .get(i)
            .copied()
            .flatten()
            .map(|v| graph.constant(v).is_some())
    };
    (op.epilogue.is_none()
        && graph.ty(v).dtype == DType::F32
        && constant(1) == Some(true)
        && constant(2) != Some(false))
    .then_some(axis)
}

fn batch_norm(graph: &Graph, id: NodeId, channels: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let node = graph.node(id);
    let parameter = |i: usize| {
        let t = graph.constant(node.inputs.get(i).copied().flatten()?)?;
        (t.len() == channels).then(|| t.to_f64())
    };
    let (gamma, beta, mean, variance) =
        (parameter(1)?, parameter(2)?, parameter(3)?, parameter(4)?);
    let op = node.op()?;
    let (epsilon, training) = graph.with_cx(op, &node.inputs, 1, "", |cx| {
        (cx.float("epsilon"), cx.flag("training_mode"))
    });
    if training != Ok(false) {
        return None;
    }
    let epsilon = epsilon.ok()?;
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(g, v)| g / (v + epsilon).sqrt())
        .collect();
    let shift = (0..channels)
        .map(|m| beta[m] - scale[m] * mean[m])
        .collect();
    Some((scale, shift))
}

/// One value a channel from a constant that broadcasts along axis 1 of a tensor of that rank.
fn channel_values(t: &Tensor, rank: usize, channels: usize) -> Option<Vec<f64>> {
    let v = t.to_f64();
    if t.len() == 1 && t.shape().len() <= rank {
        return Some(vec![v[0]; channels]);
    }
    let axis = (t.shape().len() + 1).checked_sub(rank)?;
    (t.shape().len() <= rank && t.shape().get(axis) == Some(&channels) && t.len() == channels)
        .then_some(v)
}
