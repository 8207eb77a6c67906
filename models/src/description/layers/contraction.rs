//! Layers with weights that multiply: convolutions, dense layers, embeddings.
//!
//! Weights lie as ONNX has them: convolutions M, C/groups, kernel; transposed ones C, M/groups, kernel; dense layers inputs, units.

use super::super::builder::Role;
use super::super::call::Call;
use super::super::value::Fault;
use super::pooling::Window;
use super::{Built, activation};
use cnnc_ir::graph::Value;
use cnnc_ir::{AttrValue, OpKind};

const WEIGHTS: &str = "glorot_uniform";

pub fn conv(call: &mut Call) -> Built {
    let channels = call.count("channels")?;
    let groups = call.count_or("groups", 1)?;
    convolve(call, channels, groups)
}

/// Every channel by itself, `multiplier` results each.
pub fn depthwise_conv(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let groups = call.extent(x, 1)?;
    let channels = groups.checked_mul(call.count_or("multiplier", 1)?);
    let channels = channels.ok_or_else(|| call.fault("has too many channels"))?;
    convolve(call, channels, groups)
}

fn convolve(call: &mut Call, channels: u64, groups: u64) -> Built {
    let x = call.tensor("x")?;
    let window = Window::read(call, x, 1)?;
    let inputs = split(call, "input channels", call.extent(x, 1)?, groups)?;
    let outputs = split(call, "channels", channels, groups)?;
    let fans = [inputs, outputs].map(|n| fan(n, &window.kernel));
    let shape = [&[channels, inputs], &window.kernel[..]].concat();
    let weight = weight(call, x, &shape, fans)?;
    let mut operands = vec![x, weight];
    operands.extend(bias(call, x, channels)?);
    let [kernel, strides, dilations, pads] = window.attrs();
    let group = ("group", AttrValue::Int(groups as i64));
    let y = call.op(
        OpKind::Conv,
        &operands,
        [kernel, strides, dilations, pads, group],
    )?;
    activation::optional(call, y)
}

pub fn conv_transpose(call: &mut Call) -> Built {
    let (x, channels) = (call.tensor("x")?, call.count("channels")?);
    let groups = call.count_or("groups", 1)?;
    let window = Window::read(call, x, 1)?;
    let inputs = call.extent(x, 1)?;
    let outputs = split(call, "channels", channels, groups)?;
    let fans = [split(call, "input channels", inputs, groups)?, outputs];
    let fans = fans.map(|n| fan(n, &window.kernel));
    let shape = [&[inputs, outputs], &window.kernel[..]].concat();
    let weight = weight(call, x, &shape, fans)?;
    let mut operands = vec![x, weight];
    operands.extend(bias(call, x, channels)?);
    let rank = window.kernel.len();
    let more = call.ints("output_pad")?.unwrap_or(vec![0; rank]);
    let more = if more.len() == 1 {
        vec![more[0]; rank]
    } else {
        more
    };
    let [kernel, strides, dilations, pads] = window.attrs();
    let group = ("group", AttrValue::Int(groups as i64));
    let output_padding = ("output_padding", AttrValue::Ints(more));
    let y = call.op(
        OpKind::ConvTranspose,
        &operands,
        [kernel, strides, dilations, pads, group, output_padding],
    )?;
    activation::optional(call, y)
}

/// The last axis times a matrix.
pub fn dense(call: &mut Call) -> Built {
    let (x, units) = (call.tensor("x")?, call.count("units")?);
    let rank = call.ty(x).rank();
    if !(2..=3).contains(&rank) {
        let ty = call.ty(x);
        let message = format!("needs N x features or N x T x features, its operand is {ty}");
        return Err(call.fault(message + "; flatten(...) makes features of an image"));
    }
    let features = call.extent(x, rank - 1)?;
    let weight = weight(call, x, &[features, units], [features, units])?;
    let bias = bias(call, x, units)?;
    let y = match (rank, bias) {
        (2, Some(bias)) => call.op(OpKind::Gemm, &[x, weight, bias], [])?,
        (_, bias) => {
            let y = call.op(OpKind::MatMul, &[x, weight], [])?;
            match bias {
                Some(bias) => call.op(OpKind::Add, &[y, bias], [])?,
                None => y,
            }
        }
    };
    activation::optional(call, y)
}

/// A row of `width` values for each whole number in `x`, from 0 to below `vocabulary`.
pub fn embedding(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let shape = [call.count("vocabulary")?, call.count("width")?];
    let initializer = call.initializer("init", "uniform:0.05", shape)?;
    let dtype = cnnc_ir::DType::F32;
    let weight = call.parameter("weight", dtype, &shape, initializer, Role::Weight)?;
    call.op(OpKind::Gather, &[weight, x], [("axis", AttrValue::Int(0))])
}

/// A part of the channels for each group.
fn split(call: &Call, what: &str, count: u64, groups: u64) -> Result<u64, Fault> {
    match count.checked_rem(groups) {
        Some(0) => Ok(count / groups),
        _ => Err(call.fault(format!(
            "{count} {what} cannot be split into {groups} groups"
        ))),
    }
}

/// Values that meet in one: channels times the extents of the kernel.
fn fan(channels: u64, kernel: &[u64]) -> u64 {
    kernel.iter().fold(channels, |n, &k| n.saturating_mul(k))
}

fn weight(call: &mut Call, x: Value, shape: &[u64], fans: [u64; 2]) -> Built {
    let initializer = call.initializer("init", WEIGHTS, fans)?;
    let dtype = call.ty(x).dtype;
    call.parameter("weight", dtype, shape, initializer, Role::Weight)
}

/// `None` where `bias=false`.
fn bias(call: &mut Call, x: Value, channels: u64) -> Result<Option<Value>, Fault> {
    if !call.flag("bias", true)? {
        return Ok(None);
    }
    let initializer = call.initializer("bias_init", "zeros", [channels, channels])?;
    let dtype = call.ty(x).dtype;
    let bias = call.parameter("bias", dtype, &[channels], initializer, Role::Bias)?;
    Ok(Some(bias))
}
