//! Gradients of convolutions' weights on tiles: a scattered result in memory that the step works with, then a copy in order.

use super::contract::{f32_only, fixed, operand, pair, placement};
use super::filters::strided;
use super::{Kernel, Offer, Place, Request, Selector, Tiled};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::filter;
use crate::kernel::nest;
use cnnc_ir::class::{Contract, Semantics};
use cnnc_ir::{DType, Ex};

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
    let copies = plan.copies();
    let moved = |view, by: i64| {
        let place = Place::from(view);
        Place {
            offset: place.offset.wrapping_add_signed(by),
            ..place
        }
    };
    let mut kernels: Vec<Kernel> = plan
        .plans
        .into_iter()
        .map(|(plan, [from, to])| {
            Kernel::Tiled(Tiled {
                plan,
                target: selector.target,
                input: moved(x, from),
                weights: moved(dy, to),
                output: scattered,
                bias: scattered,
                residual: scattered,
            })
        })
        .collect();
    for copy in copies {
        let same = Ex::arg(0, DType::F32).finish();
        let from = strided(&copy, scattered, true);
        let to = strided(&copy, Place::from(output), false);
        let nests = nest::elementwise(&same, &[from], &to).map_err(|e| e.to_string())?;
        kernels.extend(nests.into_iter().map(Kernel::Nest));
    }
    Ok(kernels)
}
