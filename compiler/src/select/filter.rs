//! Gradients of convolutions' weights on tiles: a scattered result in memory that the step works with, then a copy in order.

use super::contract::{f32_only, fixed, operand, pair, placement};
use super::filters::copied;
use super::{Kernel, Offer, Place, Request, Selector, Tiled};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::filter;
use cnnc_ir::class::{Contract, Semantics};

pub fn filter_tile(selector: &mut Selector, request: &Request) -> Offer {
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
    let plan = filter::plan(&geometry, selector.target).map_err(|e| e.to_string())?;
    let scattered = selector.reserve(plan.len() * size_of::<f32>())?;
    let moved = |view, by: i64| {
        let place = Place::from(view);
        Place {
            offset: place.offset.wrapping_add_signed(by),
            ..place
        }
    };
    let mut kernels: Vec<Kernel> = plan
        .plans
        .iter()
        .map(|(plan, [from, to])| {
            Kernel::Tiled(Tiled {
                plan: plan.clone(),
                target: selector.target,
                input: moved(x, *from),
                weights: moved(dy, *to),
                output: scattered,
                bias: scattered,
                residual: scattered,
            })
        })
        .collect();
    kernels.extend(copied(&plan.copies(), scattered, Place::from(output))?);
    Ok(kernels)
}
