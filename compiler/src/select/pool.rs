//! Pools on tiles: windows, and means and maxima over whole planes.

use super::contract::{Epilogue, f32_only, fixed, operand, pair, placement};
use super::{Kernel, Offer, Place, Request, Selector, Tiled};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::placement::Placement;
use crate::kernel::pool::{self, Pooling};
use crate::memory::view::View;
use cnnc_ir::class::{Combine, Reduce, Semantics, Window, WindowKind};
use cnnc_ir::{DType, Ex, Layout};

/// Means of more elements accumulate in f64, as a loop nest.
const LARGEST_SUM: usize = 1 << 12;

pub fn pool_tile(selector: &mut Selector, request: &Request) -> Offer {
    let Pooled {
        geometry,
        pooling,
        split,
    } = Pooled::of(request)?;
    let plan = pool::plan(&geometry, pooling, selector.target).map_err(|e| e.to_string())?;
    let (from, to) = (
        Place::from(operand(request, 0)?),
        Place::from(&request.outputs[0]),
    );
    let tiled = Tiled {
        plan,
        target: selector.target,
        input: from,
        // Neither read nor there.
        weights: from,
        bias: from,
        output: to,
        residual: split.fused.residual.unwrap_or(to),
    };
    split.finish(selector, request, vec![Kernel::Tiled(tiled)])
}

/// A pool of f32 pictures.
pub(super) struct Pooled {
    pub(super) geometry: ConvGeometry,
    pub(super) pooling: Pooling,
    pub(super) split: Epilogue,
}

impl Pooled {
    pub(super) fn of(request: &Request) -> Result<Pooled, String> {
        let (input, output) = (operand(request, 0)?, &request.outputs[0]);
        f32_only([input.dtype, output.dtype, request.result])?;
        let (shape, made) = (fixed(input)?, fixed(output)?);
        let &[batch, channels, height, width] = &shape[..] else {
            return Err(format!("a value of rank {} is no picture", shape.len()));
        };
        if shape.contains(&0) || made.contains(&0) {
            return Err("an operand is empty".to_string());
        }
        let window = Pool::of(request.semantics, [height, width], &made)?;
        let split = Epilogue::new(request, |_| false);
        let geometry = ConvGeometry {
            batch,
            groups: channels,
            in_channels: channels,
            out_channels: channels,
            input: [height, width],
            kernel: window.kernel,
            strides: window.strides,
            dilations: window.dilations,
            pads: window.pads,
            input_placement: placement(input)?,
            output_placement: pixels(output)?,
            bias: false,
            epilogue: split.fused.steps.clone(),
        };
        Ok(Pooled {
            geometry,
            pooling: window.pooling,
            split,
        })
    }
}

/// A pool as the kernel takes it.
struct Pool {
    pooling: Pooling,
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    pads: [usize; 4],
}

impl Pool {
    /// The pool of a plane of that size, whose output has that shape.
    fn of(semantics: &Semantics, plane: [usize; 2], output: &[usize]) -> Result<Pool, String> {
        let pool = match semantics {
            Semantics::Window(window) if window.kernel.len() == 2 => {
                let (pooling, pads) = window_of(window, plane, output)?;
                Pool {
                    pooling,
                    kernel: pair(&window.kernel),
                    strides: pair(&window.strides),
                    dilations: pair(&window.dilations),
                    pads,
                }
            }
            Semantics::Reduce(reduce) => Pool {
                pooling: plane_of(reduce)?,
                kernel: plane,
                strides: [1; 2],
                dilations: [1; 2],
                pads: [0; 4],
            },
            _ => return Err("not a pool of pictures".to_string()),
        };
        if pool.pooling != Pooling::Max && pool.kernel[0] * pool.kernel[1] > LARGEST_SUM {
            return Err("so many elements are summed in f64".to_string());
        }
        Ok(pool)
    }
}

/// What a window computes, and its padding. The padding at the end is as wide as the output has use for, which may be more
/// than was asked for where its size is rounded up.
fn window_of(
    window: &Window,
    input: [usize; 2],
    output: &[usize],
) -> Result<(Pooling, [usize; 4]), String> {
    let mut pads = [window.pads_begin[0], window.pads_begin[1], 0, 0];
    let mut inside = true;
    for axis in 0..2 {
        let reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
        let read = (output[axis + 2] - 1) * window.strides[axis] + reach;
        pads[axis + 2] = read.saturating_sub(input[axis] + pads[axis]);
        inside &= pads[axis + 2] <= window.pads_end[axis];
    }
    let pooling = match window.kind {
        WindowKind::Max => Pooling::Max,
        WindowKind::Average { count_pad: false } => Pooling::Mean,
        WindowKind::Average { count_pad: true } if inside => Pooling::MeanOfWindow,
        WindowKind::Average { .. } => {
            return Err("windows reach beyond the padding that counts".to_string());
        }
        kind => return Err(format!("tiles do not compute {kind:?}")),
    };
    Ok((pooling, pads))
}

/// What a reduction over whole planes computes.
fn plane_of(reduce: &Reduce) -> Result<Pooling, String> {
    let [total, count] = [0, 1].map(|k| Ex::arg(k, DType::F32));
    let mean = &total / &count;
    let finish = reduce.finish.as_ref();
    if reduce.axes != [2, 3] || reduce.map.is_some() {
        return Err("not a reduction of whole planes".to_string());
    }
    match reduce.combine {
        Combine::Sum if finish == Some(&mean.finish()) => Ok(Pooling::Mean),
        Combine::Sum if finish.is_none_or(|f| *f == total.finish()) => Ok(Pooling::Sum),
        Combine::Max if finish.is_none_or(|f| *f == total.finish()) => Ok(Pooling::Max),
        _ => Err("tiles compute sums, means and maxima of planes only".to_string()),
    }
}

/// Where a result lies whose planes are single pixels that the type may leave out.
fn pixels(v: &View) -> Result<Placement, String> {
    match v.strides[..] {
        [image, channel] if v.layout == Layout::Plain => Ok(Placement {
            block: 1,
            strides: [image, channel, 0, 0],
            halo: [0; 4],
        }),
        _ => placement(v),
    }
}
