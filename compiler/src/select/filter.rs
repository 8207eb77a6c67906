//! Gradients of convolutions' weights: a scattered result in memory that the step works with, then a copy in order.

use super::contract::{f32_only, fixed, operand, pair, placement};
use super::filters::{copied, summed};
use super::{Kernel, Numerics, Offer, Place, Request, Selector, Staged, Tiled};
use crate::kernel::choice::Choice;
use crate::kernel::conv::ConvGeometry;
use crate::kernel::filter;
use crate::kernel::winograd;
use crate::memory::view::{Space, View};
use cnnc_ir::class::{Contract, Semantics};

/// The direct sum, on tiles.
pub fn filter_tile(selector: &mut Selector, request: &Request) -> Offer {
    let (geometry, [x, dy, output]) = problem(request)?;
    decide(selector, &geometry);
    let plan = filter::plan(&geometry, selector.target).map_err(|e| e.to_string())?;
    let scattered = selector.reserve(plan.scattered.len() * size_of::<f32>())?;
    let mut kernels = Vec::new();
    for (plan, [from, to]) in plan.plans {
        kernels.push(Kernel::Tiled(Tiled {
            plan,
            target: selector.target,
            input: Place::from(x).moved(from),
            weights: Place::from(dy).moved(to),
            output: scattered,
            bias: scattered,
            residual: scattered,
        }));
    }
    let copies = plan.scattered.copies();
    kernels.extend(copied(&copies, scattered, Place::from(output))?);
    Ok(kernels)
}

/// Winograd's algorithm, where it is quicker.
pub(super) fn filter_winograd(selector: &mut Selector, request: &Request) -> Offer {
    let (geometry, [x, dy, output]) = problem(request)?;
    if geometry.kernel != [3, 3] {
        return Err("the kernel is not 3x3".to_string());
    }
    winograd::check(&geometry).map_err(|e| e.to_string())?;
    let Some(Choice::Winograd(scheme)) = decide(selector, &geometry) else {
        return Err("the direct sum is estimated to be quicker".to_string());
    };
    let gradient =
        winograd::gradient::plan(&geometry, scheme, selector.target).map_err(|e| e.to_string())?;
    let bytes = gradient.scattered.len() * size_of::<f32>();
    let scattered = selector.reserve(bytes * gradient.parts)?;
    let constants = Place {
        space: Space::Weights,
        offset: selector.constants.floats(&gradient.constants()),
    };
    let parts: Vec<Place> = (0..gradient.parts)
        .map(|part| scattered.moved((part * bytes) as i64))
        .collect();
    let copies = summed(&gradient.scattered.copies(), &parts, Place::from(output))?;
    let mut kernels = vec![Kernel::Staged(Staged {
        input: Place::from(x),
        weights: Place::from(dy),
        output: scattered,
        bias: scattered,
        residual: scattered,
        constants,
        target: selector.target,
        plan: gradient.plan,
    })];
    kernels.extend(copies);
    Ok(kernels)
}

/// What was decided, where there is something to decide.
fn decide(selector: &mut Selector, geometry: &ConvGeometry) -> Option<Choice> {
    let admitted =
        selector.wishes.numerics != Numerics::Strict && winograd::check(geometry).is_ok();
    admitted.then(|| selector.decide_gradient(geometry))
}

/// The convolution whose filters the gradient is for, and the views of its input, its output's gradient and the result.
fn problem<'r>(request: &'r Request) -> Result<(ConvGeometry, [&'r View; 3]), String> {
    let Semantics::Contract(Contract::ConvFilter(class)) = request.semantics else {
        return Err("not a filter gradient".to_string());
    };
    if request.epilogue.is_some() {
        return Err("the result is copied and has no epilogue".to_string());
    }
    let (x, dy, output) = (
        operand(request, 0)?,
        operand(request, 1)?,
        &request.outputs[0],
    );
    f32_only([x.dtype, dy.dtype, output.dtype])?;
    if class.kernel.len() != 2 || !output.is_dense() {
        return Err("tiles convolve two dimensions, to a dense result".to_string());
    }
    let (input, made) = (fixed(x)?, fixed(dy)?);
    let geometry = ConvGeometry {
        batch: input[0],
        groups: class.groups,
        in_channels: input[1],
        out_channels: made[1],
        input: [input[2], input[3]],
        kernel: pair(&class.kernel),
        strides: pair(&class.strides),
        dilations: pair(&class.dilations),
        pads: [
            class.pads_begin[0],
            class.pads_begin[1],
            class.pads_end[0],
            class.pads_end[1],
        ],
        input_placement: placement(x)?,
        output_placement: placement(dy)?,
        bias: false,
        epilogue: Vec::new(),
    };
    Ok((geometry, [x, dy, output]))
}
