//! Convolutions 3x3 of stride 1, transposed ones too, by Winograd's algorithm, where it is quicker than the direct sum: as was
//! measured, else as is estimated.
//!
//! A transposed convolution is a convolution whose filters are turned by half a turn and whose channels have changed sides. Computed
//! weights are transformed whenever the step runs; whether they are finite is not asked.

use super::contract::{Convolution, fixed, pair, placement};
use super::filter;
use super::filters::{Bias, Filter, copied};
use super::{Kernel, Numerics, Offer, Place, Request, Selector, Staged};
use crate::kernel::choice::Choice;
use crate::kernel::conv::{self, ConvGeometry};
use crate::kernel::packing::{BlockCopy, CopyAxis};
use crate::kernel::winograd::{self, FilterOrder, Filters, PackedFilters, Setting, Winograd};
use crate::memory::view::{Space, View};
use cnnc_ir::class::{Contract, ConvTranspose, Semantics};

pub fn winograd(selector: &mut Selector, request: &Request) -> Offer {
    if selector.wishes.numerics == Numerics::Strict {
        return Err("strict numerics ask for the direct sum".to_string());
    }
    if let Semantics::Contract(Contract::ConvFilter(_)) = request.semantics {
        return filter::filter_winograd(selector, request);
    }
    let (convolution, filters) = problem(request)?;
    let geometry = &convolution.geometry;
    let Choice::Winograd(scheme) = decide(selector, &convolution, filters)? else {
        return Err(match &selector.decision {
            Some(decision) if decision.measured.is_some() => "the direct sum is quicker",
            _ => "the direct sum is estimated to be quicker",
        }
        .to_string());
    };
    let winograd =
        winograd::plan(geometry, filters, scheme, selector.target).map_err(|e| e.to_string())?;
    let (weights, mut kernels) = packed(selector, &winograd.filters, convolution.weights)?;
    let output = Place::from(&request.outputs[0]);
    let bias = match &convolution.bias {
        Some(bias) => {
            let (place, copies) = padded(selector, &winograd, geometry, bias)?;
            kernels.extend(copies);
            place
        }
        None => output,
    };
    kernels.push(Kernel::Staged(Staged {
        input: Place::from(convolution.input),
        weights,
        output,
        bias,
        residual: convolution.split.fused.residual.unwrap_or(output),
        constants: stored(selector, &winograd.constants()),
        target: selector.target,
        plan: winograd.plan,
    }));
    let split = convolution.split;
    split.finish(selector, request, kernels)
}

/// Decides between the algorithm and the direct sum.
fn decide(
    selector: &mut Selector,
    convolution: &Convolution,
    filters: Filters,
) -> Result<Choice, String> {
    admits(selector, convolution)?;
    let geometry = &convolution.geometry;
    let direct = conv::blocking(geometry, selector.target).map_err(|e| e.to_string())?;
    let setting = selector.setting(filters.computed);
    let title = title(geometry, filters);
    Ok(selector.decide_convolution(title, geometry, &direct, Some(setting)))
}

/// Notes what was decided for a transposed convolution that the algorithm might do.
pub(super) fn consider(selector: &mut Selector, request: &Request) {
    if let Ok((convolution, filters)) = problem(request) {
        // A refusal is on record already.
        let _ = decide(selector, &convolution, filters);
    }
}

/// The text of a problem.
pub(super) fn title(geometry: &ConvGeometry, filters: Filters) -> String {
    let turned = if filters.order.turned {
        "transposed "
    } else {
        ""
    };
    let computed = if filters.computed { " computed" } else { "" };
    format!("{turned}{geometry}{computed}")
}

/// The operator as a convolution, and where its filters lie.
fn problem<'r>(request: &'r Request) -> Result<(Convolution<'r>, Filters), String> {
    let not_3x3 = || "the kernel is not 3x3".to_string();
    let (convolution, order) = match request.semantics {
        Semantics::Contract(Contract::Conv(class)) => {
            (class.kernel == [3, 3]).then_some(()).ok_or_else(not_3x3)?;
            let convolution = Convolution::new(request)?;
            let order = FilterOrder::convolution(convolution.geometry.in_channels);
            (convolution, order)
        }
        Semantics::Contract(Contract::ConvTranspose(class)) => {
            (class.kernel == [3, 3]).then_some(()).ok_or_else(not_3x3)?;
            let convolution = Convolution::with(request, |input, output, bias, split| {
                let epilogue = split.fused.steps.clone();
                turned(class, input, output).map(|geometry| ConvGeometry {
                    bias,
                    epilogue,
                    ..geometry
                })
            })?;
            let order = FilterOrder::transposed(convolution.geometry.out_channels);
            (convolution, order)
        }
        _ => return Err("not a convolution".to_string()),
    };
    let computed = convolution.weights.constant().is_err();
    Ok((convolution, Filters { order, computed }))
}

/// The convolution that a transposed one of stride 1 is.
fn turned(class: &ConvTranspose, input: &View, output: &View) -> Result<ConvGeometry, String> {
    if class.strides != [1, 1] {
        return Err("the stride of the transposed convolution is not 1".to_string());
    }
    let (x, y) = (fixed(input)?, fixed(output)?);
    let pad = |axis: usize| {
        let begin = 2 - class.pads_begin[axis];
        let end = y[2 + axis] as i64 + 2 - x[2 + axis] as i64 - begin;
        let padding = |n: i64| usize::try_from(n).map_err(|_| "the padding exceeds the kernel");
        Ok::<_, &str>([padding(begin)?, padding(end)?])
    };
    let ([top, bottom], [left, right]) = (pad(0)?, pad(1)?);
    Ok(ConvGeometry {
        batch: x[0],
        groups: class.groups,
        in_channels: x[1],
        out_channels: y[1],
        input: [x[2], x[3]],
        kernel: [3, 3],
        strides: [1, 1],
        dilations: pair(&class.dilations),
        pads: [top, left, bottom, right],
        input_placement: placement(input)?,
        output_placement: placement(output)?,
        bias: false,
        epilogue: Vec::new(),
    })
}

/// Whether the algorithm may do the convolution, quick or not.
pub(super) fn admits(selector: &Selector, convolution: &Convolution) -> Result<(), String> {
    if selector.wishes.numerics == Numerics::Strict {
        return Err("strict numerics ask for the direct sum".to_string());
    }
    winograd::check(&convolution.geometry).map_err(|e| e.to_string())?;
    match convolution.weights {
        Filter::Constant(tensor) if tensor.to_f32().iter().any(|w| !w.is_finite()) => {
            Err("a weight is not finite".to_string())
        }
        _ => Ok(()),
    }
}

impl Selector<'_> {
    /// What Winograd's estimates depend on.
    pub(super) fn setting(&self, computed: bool) -> Setting {
        Setting {
            target: self.target,
            threads: self.wishes.threads,
            computed,
            same_sums: self.wishes.same_sums,
        }
    }
}

fn stored(selector: &mut Selector, values: &[f32]) -> Place {
    Place {
        space: Space::Weights,
        offset: selector.constants.floats(values),
    }
}

/// Where the transformed weights lie, and what makes them when the step runs.
fn packed(
    selector: &mut Selector,
    filters: &PackedFilters,
    weights: Filter,
) -> Result<(Place, Vec<Kernel>), String> {
    let view = match weights {
        Filter::Constant(tensor) => {
            let packed = filters.pack(&tensor.to_f32());
            let packed = packed.ok_or("the weights are shorter than their shape")?;
            return Ok((stored(selector, &packed), Vec::new()));
        }
        Filter::Computed(view) => view,
    };
    let gathered = selector.reserve(filters.gathered_len() * size_of::<f32>())?;
    let place = selector.reserve(filters.len() * size_of::<f32>())?;
    let mut kernels = copied(&filters.copies(), Place::from(view), gathered)?;
    kernels.push(Kernel::Staged(Staged {
        input: gathered,
        weights: gathered,
        output: place,
        bias: place,
        residual: place,
        constants: stored(selector, &filters.constants()),
        target: selector.target,
        plan: filters.transform(),
    }));
    Ok((place, kernels))
}

/// Where the bias lies in whole blocks, and what brings it there when the step runs.
fn padded(
    selector: &mut Selector,
    winograd: &Winograd,
    geometry: &ConvGeometry,
    bias: &Bias,
) -> Result<(Place, Vec<Kernel>), String> {
    let channels = geometry.out_channels;
    match bias {
        Bias::Constant(values) => Ok((stored(selector, &winograd.bias(values)), Vec::new())),
        Bias::Computed(view) if channels.is_multiple_of(geometry.output_placement.block) => {
            Ok((Place::from(*view), Vec::new()))
        }
        Bias::Computed(view) => {
            let whole = channels.next_multiple_of(geometry.output_placement.block);
            let place = selector.reserve(whole * size_of::<f32>())?;
            let axes = vec![CopyAxis {
                count: channels,
                source: 1,
                target: 1,
            }];
            let copy = BlockCopy {
                source: 0,
                target: 0,
                axes,
            };
            Ok((place, copied(&[copy], Place::from(*view), place)?))
        }
    }
}
