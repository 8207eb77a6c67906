//! Transposed convolutions on tiles: one plan for each kind of phase.

use super::contract::{Epilogue, f32_only, fixed, operand, pair, placement};
use super::filters::{Bias, Filter, packed};
use super::{Offer, Request, Selector, winograd};
use crate::kernel::transposed::{self, TransposedGeometry};
use cnnc_ir::class::{Contract, Semantics};

pub fn transposed_tile(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Contract(Contract::ConvTranspose(class)) = request.semantics else {
        return Err("not a transposed convolution".to_string());
    };
    if class.kernel.len() != 2 {
        return Err(format!(
            "tiles convolve two dimensions, not {}",
            class.kernel.len()
        ));
    }
    let (input, output) = (operand(request, 0)?, &request.outputs[0]);
    let weights = Filter::of(request, 1)?;
    let bias = Bias::of(request, 2)?;
    f32_only([input.dtype, output.dtype, weights.dtype()])?;
    let (x, y) = (fixed(input)?, fixed(output)?);
    let split = Epilogue::new(request, |t| {
        t.len() == y[1] && t.shape().iter().rev().take(2).all(|d| *d == 1) && bias.is_none()
    });
    let bias = bias.or_else(|| split.bias());
    let geometry = TransposedGeometry {
        batch: x[0],
        groups: class.groups,
        in_channels: x[1],
        out_channels: y[1],
        input: [x[2], x[3]],
        output: [y[2], y[3]],
        kernel: pair(&class.kernel),
        strides: pair(&class.strides),
        dilations: pair(&class.dilations),
        pads: [class.pads_begin[0], class.pads_begin[1]],
        input_placement: placement(input)?,
        output_placement: placement(output)?,
        bias: bias.is_some(),
        epilogue: split.fused.steps.clone(),
    };
    let plans = transposed::plan(&geometry, selector.target).map_err(|e| e.to_string())?;
    winograd::consider(selector, request);
    let mut kernels = Vec::new();
    for plan in plans {
        kernels.extend(packed(
            selector,
            request,
            plan,
            weights,
            bias.as_ref(),
            &split,
        )?);
    }
    split.finish(selector, request, kernels)
}
