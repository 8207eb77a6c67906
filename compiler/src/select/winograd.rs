//! Convolutions 3x3 by Winograd's algorithm, where it is quicker than the direct sum: as was measured, else as is estimated.

use super::contract::Convolution;
use super::{Kernel, Numerics, Offer, Place, Request, Selector, Staged};
use crate::kernel::choice::Choice;
use crate::kernel::conv;
use crate::kernel::winograd;
use crate::memory::view::Space;
use cnnc_ir::class::{Contract, Semantics};

pub fn winograd(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Contract(Contract::Conv(class)) = request.semantics else {
        return Err("not a convolution".to_string());
    };
    if selector.wishes.numerics == Numerics::Strict {
        return Err("strict numerics ask for the direct sum".to_string());
    }
    if class.kernel != [3, 3] {
        return Err("the kernel is not 3x3".to_string());
    }
    let convolution = Convolution::new(request)?;
    admits(selector, &convolution)?;
    let geometry = &convolution.geometry;
    let direct = conv::blocking(geometry, selector.target).map_err(|e| e.to_string())?;
    let Choice::Winograd(scheme) = selector.decide_convolution(geometry, &direct, true) else {
        return Err(match &selector.decision {
            Some(decision) if decision.measured.is_some() => "the direct sum is quicker",
            _ => "the direct sum is estimated to be quicker",
        }
        .to_string());
    };
    let winograd = winograd::plan(geometry, scheme, selector.target).map_err(|e| e.to_string())?;
    let section = winograd
        .weights(&convolution.weights.constant()?.to_f32())
        .ok_or("the weights are shorter than their shape")?;
    let mut place = |values: &[f32]| Place {
        space: Space::Weights,
        offset: selector.constants.floats(values),
    };
    let output = Place::from(&request.outputs[0]);
    let staged = Staged {
        input: Place::from(convolution.input),
        weights: place(&section),
        output,
        bias: match &convolution.bias {
            Some(b) => place(&winograd.bias(b.constant().ok_or("the bias is computed")?)),
            None => output,
        },
        residual: convolution.split.fused.residual.unwrap_or(output),
        target: selector.target,
        plan: winograd.plan,
    };
    let split = convolution.split;
    split.finish(selector, request, vec![Kernel::Staged(staged)])
}

/// Whether the algorithm may do the convolution, quick or not.
pub(super) fn admits(selector: &Selector, convolution: &Convolution) -> Result<(), String> {
    if selector.wishes.numerics == Numerics::Strict {
        return Err("strict numerics ask for the direct sum".to_string());
    }
    winograd::check(&convolution.geometry).map_err(|e| e.to_string())?;
    if convolution
        .weights
        .constant()?
        .to_f32()
        .iter()
        .any(|w| !w.is_finite())
    {
        return Err("a weight is not finite".to_string());
    }
    Ok(())
}
