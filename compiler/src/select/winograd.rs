//! Convolutions 3x3 by Winograd's algorithm, where it is estimated to be quicker than the direct sum.

use super::contract::{Epilogue, constant, f32_only, fixed, geometry, operand};
use super::{Kernel, Numerics, Offer, Place, Request, Selector, Staged};
use crate::kernel::winograd;
use crate::memory::view::Space;
use cnnc_ir::Tensor;
use cnnc_ir::class::{Contract, Semantics};

pub fn winograd(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Contract(Contract::Conv(class)) = request.semantics else {
        return Err("not a convolution".to_string());
    };
    if selector.wishes.numerics == Numerics::Strict {
        return Err("strict numerics ask for the direct sum".to_string());
    }
    let (input, output) = (operand(request, 0)?, &request.outputs[0]);
    let weights = constant(request, 1)?;
    let bias = match request.inputs.get(2) {
        Some(Some(_)) => Some(constant(request, 2)?.to_f32()),
        _ => None,
    };
    f32_only([input.dtype, output.dtype, weights.dtype()])?;
    if class.kernel != [3, 3] {
        return Err("the kernel is not 3x3".to_string());
    }
    let channels = fixed(output)?[1];
    let split = Epilogue::new(request, |t| {
        t.len() == channels && t.shape().iter().rev().take(2).all(|d| *d == 1) && bias.is_none()
    });
    let bias = bias.or_else(|| split.fused.bias.as_ref().map(Tensor::to_f32));
    let geometry = geometry(class, input, output, weights, bias.is_some(), &split)?;
    let filters = weights.to_f32();
    if filters.iter().any(|w| !w.is_finite()) {
        return Err("a weight is not finite".to_string());
    }
    let threads = selector.wishes.threads;
    let algorithm = winograd::choose(&geometry, selector.target, threads)
        .ok_or("the direct sum is estimated to be quicker")?;
    let winograd = winograd::plan(&geometry, algorithm, selector.target, threads)
        .map_err(|e| e.to_string())?;
    let section = winograd
        .weights(&filters)
        .ok_or("the weights are shorter than their shape")?;
    let mut place = |values: &[f32]| Place {
        space: Space::Weights,
        offset: selector.constants.floats(values),
    };
    let staged = Staged {
        input: Place::from(input),
        weights: place(&section),
        output: Place::from(output),
        bias: match &bias {
            Some(b) => place(&winograd.bias(b)),
            None => Place::from(output),
        },
        residual: split.fused.residual.unwrap_or(Place::from(output)),
        target: selector.target,
        plan: winograd.plan,
    };
    split.finish(selector, request, vec![Kernel::Staged(staged)])
}
