//! Convolutions on plain planes: weights that change from run to run, activations that stay plain.

use super::contract::{Epilogue, f32_only, fixed, operand, pair, placement};
use super::{Kernel, Offer, Place, Request, Selector, Tiled};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::planar::{self, FilterStrides};
use crate::memory::view::{Space, View};
use cnnc_ir::class::{Contract, ConvTranspose, Semantics};
use cnnc_ir::{Layout, Tensor};

/// Convolutions of column stride 1, and transposed convolutions of stride 1, which are convolutions with turned windows.
pub fn planar_tile(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Contract(contract) = request.semantics else {
        return Err("not a contraction".to_string());
    };
    let (input, output) = (operand(request, 0)?, &request.outputs[0]);
    let w = operand(request, 1)?;
    f32_only([input.dtype, output.dtype, w.dtype])?;
    if !w.is_dense() {
        return Err("the weights are not dense".to_string());
    }
    let (kernel, strides, dilations) = match contract {
        Contract::Conv(c) => (&c.kernel, &c.strides, &c.dilations),
        Contract::ConvTranspose(c) => (&c.kernel, &c.strides, &c.dilations),
        Contract::ConvFilter(_) | Contract::MatMul { .. } => {
            return Err("not a convolution".to_string());
        }
    };
    if kernel.len() != 2 {
        return Err(format!(
            "tiles convolve two dimensions, not {}",
            kernel.len()
        ));
    }
    let (x, y) = (fixed(input)?, fixed(output)?);
    let bias = place_of(selector, request, 2);
    let channels = y[1];
    let split = Epilogue::new(request, |t| {
        t.len() == channels && t.shape().iter().rev().take(2).all(|d| *d == 1) && bias.is_none()
    });
    let added = split.fused.bias.as_ref().map(Tensor::to_f32);
    let bias = bias.or_else(|| {
        added.map(|b| Place {
            space: Space::Weights,
            offset: selector.constants.floats(&b),
        })
    });
    let (groups, pads) = match contract {
        Contract::Conv(c) => (
            c.groups,
            [
                c.pads_begin[0],
                c.pads_begin[1],
                c.pads_end[0],
                c.pads_end[1],
            ],
        ),
        Contract::ConvTranspose(c) => (c.groups, turned_pads(c, &x, &y)?),
        Contract::ConvFilter(_) | Contract::MatMul { .. } => {
            return Err("not a convolution".to_string());
        }
    };
    let geometry = ConvGeometry {
        batch: x[0],
        groups,
        in_channels: x[1],
        out_channels: channels,
        input: [x[2], x[3]],
        kernel: pair(kernel),
        strides: pair(strides),
        dilations: pair(dilations),
        pads,
        input_placement: placement(input)?,
        output_placement: placement(output)?,
        bias: bias.is_some(),
        epilogue: split.fused.steps.clone(),
    };
    let filter = match contract {
        Contract::ConvTranspose(_) => FilterStrides::turned(&geometry),
        _ => FilterStrides::dense(&geometry),
    };
    let plan = planar::plan(&geometry, &filter, selector.target).map_err(|e| e.to_string())?;
    let tiled = Tiled {
        plan,
        target: selector.target,
        // The plan broadcasts weights and loads vectors of the activation.
        input: place_of(selector, request, 1).ok_or("operand 1 is missing")?,
        weights: place_of(selector, request, 0).ok_or("operand 0 is missing")?,
        output: Place::from(output),
        bias: bias.unwrap_or(Place {
            space: Space::Weights,
            offset: 0,
        }),
        residual: split.fused.residual.unwrap_or(Place::from(output)),
    };
    split.finish(selector, request, vec![Kernel::Tiled(tiled)])
}

/// Where a dense plain operand lies; constants are placed in the pool.
fn place_of(selector: &mut Selector, request: &Request, index: usize) -> Option<Place> {
    let view: &View = request.inputs.get(index)?.as_ref()?;
    match request.values.get(index).and_then(Option::as_ref) {
        Some(constant) => Some(Place::from(&selector.constants.plain(constant))),
        None if view.layout == Layout::Plain => Some(Place::from(view)),
        None => None,
    }
}

/// The padding of the convolution that a transposed convolution of stride 1 is.
fn turned_pads(c: &ConvTranspose, x: &[usize], y: &[usize]) -> Result<[usize; 4], String> {
    if c.strides != [1, 1] {
        return Err(format!(
            "a transposed convolution of stride {:?}, not 1",
            c.strides
        ));
    }
    let mut pads = [0; 4];
    for axis in 0..2 {
        let reach = (c.kernel[axis] - 1) as i64 * c.dilations[axis] as i64;
        let begin = reach - c.pads_begin[axis];
        let end = y[axis + 2] as i64 - x[axis + 2] as i64 - begin + reach;
        let pad = |value: i64| {
            usize::try_from(value)
                .map_err(|_| format!("the output of axis {axis} is cropped by {}", -value))
        };
        (pads[axis], pads[axis + 2]) = (pad(begin)?, pad(end)?);
    }
    Ok(pads)
}
