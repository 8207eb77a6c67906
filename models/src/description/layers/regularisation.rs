//! Normalisations and dropout.

use super::super::builder::Role;
use super::super::call::Call;
use super::super::value::Fault;
use super::{Built, activation};
use crate::initializer::Initializer;
use cnnc_ir::graph::Value;
use cnnc_ir::{AttrValue, DType, OpKind, Tensor};

/// Of each channel; running moments move by `1 - momentum` a step.
pub fn batch_norm(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let channels = call.extent(x, 1)?;
    let [scale, bias] = affine(call, x, channels)?;
    let mean = vector(call, x, "mean", channels, 0.0, Role::Statistic)?;
    let variance = vector(call, x, "variance", channels, 1.0, Role::Statistic)?;
    let epsilon = call.number_or("epsilon", 1e-5)?;
    let momentum = call.number_or("momentum", 0.9)?;
    let y = call.op(
        OpKind::BatchNormalization,
        &[x, scale, bias, mean, variance],
        [
            ("epsilon", AttrValue::Float(epsilon)),
            ("momentum", AttrValue::Float(momentum)),
        ],
    )?;
    activation::optional(call, y)
}

/// Of the last axis.
pub fn layer_norm(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let features = call.extent(x, call.ty(x).rank().saturating_sub(1))?;
    let [scale, bias] = affine(call, x, features)?;
    let epsilon = (
        "epsilon",
        AttrValue::Float(call.number_or("epsilon", 1e-5)?),
    );
    let y = call.op(OpKind::LayerNormalization, &[x, scale, bias], [epsilon])?;
    activation::optional(call, y)
}

/// Of groups of channels.
pub fn group_norm(call: &mut Call) -> Built {
    let (x, groups) = (call.tensor("x")?, call.count("groups")?);
    let channels = call.extent(x, 1)?;
    let [scale, bias] = affine(call, x, channels)?;
    let epsilon = (
        "epsilon",
        AttrValue::Float(call.number_or("epsilon", 1e-5)?),
    );
    let groups = ("num_groups", AttrValue::Int(groups as i64));
    let operands = [x, scale, bias];
    let y = call.op(OpKind::GroupNormalization, &operands, [epsilon, groups])?;
    activation::optional(call, y)
}

/// In training, elements become 0 with the probability `rate`.
pub fn dropout(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let rate = call.number_or("rate", 0.5)?;
    if !(0.0..1.0).contains(&rate) {
        return Err(call.fault(format!("rate must be from 0 to below 1, is {rate:?}")));
    }
    let rate = call.constant(Tensor::scalar_f64(DType::F32, rate));
    call.op(OpKind::Dropout, &[x, rate], [])
}

/// Scale and bias that are learnt.
fn affine(call: &mut Call, x: Value, count: u64) -> Result<[Value; 2], Fault> {
    Ok([
        vector(call, x, "scale", count, 1.0, Role::Bias)?,
        vector(call, x, "bias", count, 0.0, Role::Bias)?,
    ])
}

fn vector(call: &mut Call, x: Value, name: &str, count: u64, value: f64, role: Role) -> Built {
    let dtype = call.ty(x).dtype;
    call.parameter(name, dtype, &[count], Initializer::Constant(value), role)
}
