//! Gradients of maximum pools on tiles.

use super::contract::{f32_only, fixed, operand, pair, placement};
use super::{Kernel, Offer, Place, Request, Selector, Staged};
use crate::kernel::unpool::{self, UnpoolGeometry};
use cnnc_ir::class::Semantics;

pub fn unpool_tile(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::WindowGradient { window, rectified } = request.semantics else {
        return Err("not a pool's gradient".to_string());
    };
    let (x, dy, dx) = (
        operand(request, 0)?,
        operand(request, 1)?,
        &request.outputs[0],
    );
    f32_only([x.dtype, dy.dtype, dx.dtype])?;
    let (input, made) = (fixed(x)?, fixed(dy)?);
    if window.kernel.len() != 2 || input.contains(&0) || made.contains(&0) {
        return Err("tiles take pictures only, and none that are empty".to_string());
    }
    let geometry = UnpoolGeometry {
        batch: input[0],
        channels: input[1],
        input: [input[2], input[3]],
        output: [made[2], made[3]],
        kernel: pair(&window.kernel),
        strides: pair(&window.strides),
        dilations: pair(&window.dilations),
        pads: pair(&window.pads_begin),
        rectified: *rectified,
        x: placement(x)?,
        dy: placement(dy)?,
        dx: placement(dx)?,
    };
    let plan = unpool::plan(&geometry, selector.target).map_err(|e| e.to_string())?;
    let output = Place::from(dx);
    Ok(vec![Kernel::Staged(Staged {
        plan,
        target: selector.target,
        input: Place::from(x),
        weights: Place::from(dy),
        output,
        // Neither read nor there.
        bias: output,
        residual: output,
        constants: output,
    })])
}
