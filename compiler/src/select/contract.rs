//! Contractions on assembled tiles. An epilogue that the tile cannot do follows as a loop nest over the result, in place.

use super::decision;
use super::epilogue::{self, Fused};
use super::filters::{Bias, Filter, packed};
use super::winograd;
use super::{EpilogueRequest, Kernel, Offer, Request, Selector};
use crate::kernel::choice::Choice;
use crate::kernel::conv::{self, ConvGeometry};
use crate::kernel::depthwise;
use crate::kernel::nest;
use crate::kernel::placement::Placement;
use crate::kernel::plan::{Plan as TilePlan, PlanError};
use crate::kernel::winograd::{FilterOrder, Filters};
use crate::memory::view::View;
use cnnc_ir::class::{Contract, Conv, Semantics};
use cnnc_ir::{DType, Ex, Layout, Tensor};

pub fn convolution_tile(selector: &mut Selector, request: &Request) -> Offer {
    let convolution = Convolution::new(request)?;
    let geometry = &convolution.geometry;
    let direct = conv::blocking(geometry, selector.target).map_err(|e| e.to_string())?;
    let filters = Filters {
        order: FilterOrder::convolution(geometry.in_channels),
        computed: convolution.weights.constant().is_err(),
    };
    let admitted = winograd::admits(selector, &convolution).is_ok();
    let setting = admitted.then(|| selector.setting(filters.computed));
    let title = winograd::title(geometry, filters);
    let plan = match selector.decide_convolution(title, geometry, &direct, setting) {
        Choice::Direct(tiling) => decision::planned(&direct, tiling),
        Choice::Winograd(_) => direct.plan(),
    };
    convolution.tiled(selector, request, plan)
}

pub fn depthwise_tile(selector: &mut Selector, request: &Request) -> Offer {
    if let Semantics::Contract(Contract::Conv(c)) = request.semantics
        && c.groups == 1
    {
        return Err("the convolution has one group".to_string());
    }
    let convolution = Convolution::new(request)?;
    let geometry = &convolution.geometry;
    let direct = depthwise::blocking(geometry, selector.target).map_err(|e| e.to_string())?;
    let plan = selector.decided(geometry.to_string(), &direct);
    convolution.tiled(selector, request, plan)
}

/// A convolution as kernels see it.
pub(super) struct Convolution<'r> {
    pub(super) input: &'r View,
    pub(super) weights: Filter<'r>,
    pub(super) bias: Option<Bias<'r>>,
    pub(super) split: Epilogue,
    pub(super) geometry: ConvGeometry,
}

impl<'r> Convolution<'r> {
    pub(super) fn new(request: &'r Request) -> Result<Convolution<'r>, String> {
        let Semantics::Contract(Contract::Conv(class)) = request.semantics else {
            return Err("not a convolution".to_string());
        };
        Convolution::with(request, |input, output, bias, split| {
            geometry(class, input, output, bias, split)
        })
    }

    /// An operator whose operands are those of a convolution.
    pub(super) fn with(
        request: &'r Request,
        geometry: impl FnOnce(&View, &View, bool, &Epilogue) -> Result<ConvGeometry, String>,
    ) -> Result<Convolution<'r>, String> {
        let (input, output) = (operand(request, 0)?, &request.outputs[0]);
        let weights = Filter::of(request, 1)?;
        let bias = Bias::of(request, 2)?;
        f32_only([input.dtype, output.dtype, weights.dtype()])?;
        let channels = fixed(output)?[1];
        let split = Epilogue::new(request, |t| {
            t.len() == channels && t.shape().iter().rev().take(2).all(|d| *d == 1) && bias.is_none()
        });
        let bias = bias.or_else(|| split.bias());
        let geometry = geometry(input, output, bias.is_some(), &split)?;
        Ok(Convolution {
            input,
            weights,
            bias,
            split,
            geometry,
        })
    }

    fn tiled(
        self,
        selector: &mut Selector,
        request: &Request,
        plan: Result<TilePlan, PlanError>,
    ) -> Offer {
        let plan = plan.map_err(|e| e.to_string())?;
        let (weights, bias) = (self.weights, self.bias.as_ref());
        let kernels = packed(selector, request, plan, weights, bias, &self.split)?;
        self.split.finish(selector, request, kernels)
    }
}

pub(super) fn geometry(
    class: &Conv,
    input: &View,
    output: &View,
    bias: bool,
    split: &Epilogue,
) -> Result<ConvGeometry, String> {
    let (x, y) = (fixed(input)?, fixed(output)?);
    if class.kernel.len() != 2 {
        return Err(format!(
            "tiles convolve two dimensions, not {}",
            class.kernel.len()
        ));
    }
    Ok(ConvGeometry {
        batch: x[0],
        groups: class.groups,
        in_channels: x[1],
        out_channels: y[1],
        input: [x[2], x[3]],
        kernel: pair(&class.kernel),
        strides: pair(&class.strides),
        dilations: pair(&class.dilations),
        pads: [
            class.pads_begin[0],
            class.pads_begin[1],
            class.pads_end[0],
            class.pads_end[1],
        ],
        input_placement: placement(input)?,
        output_placement: placement(output)?,
        bias,
        epilogue: split.fused.steps.clone(),
    })
    .and_then(|g| {
        if y[0] == g.batch {
            Ok(g)
        } else {
            Err("the batches of input and output differ".to_string())
        }
    })
}

/// The two entries of a two-dimensional parameter.
pub(super) fn pair(v: &[usize]) -> [usize; 2] {
    [v[0], v[1]]
}

pub(super) fn placement(v: &View) -> Result<Placement, String> {
    let s = &v.strides;
    match v.layout {
        Layout::Blocked { block, halo } => Ok(Placement {
            block: block.into(),
            strides: [s[0], s[1], s[2], s[3]],
            halo: halo.map(usize::from),
        }),
        Layout::Plain if s.len() == 4 => Ok(Placement {
            block: 1,
            strides: [s[0], s[1], s[2], s[3]],
            halo: [0; 4],
        }),
        Layout::Plain => Err(format!("a value of rank {} is no picture", s.len())),
    }
}

/// The part of an epilogue that the tile does, and what is left for a nest.
pub(super) struct Epilogue {
    pub(super) fused: Fused,
    /// Whether something is left.
    pub(super) rest: bool,
}

impl Epilogue {
    pub(super) fn new(request: &Request, bias_fits: impl Fn(&Tensor) -> bool) -> Epilogue {
        match &request.epilogue {
            None => Epilogue {
                fused: Fused::default(),
                rest: false,
            },
            Some(e) => match epilogue::steps(e, &request.outputs[0], bias_fits) {
                Ok(fused) => Epilogue { fused, rest: false },
                Err(_) => Epilogue {
                    fused: Fused::default(),
                    rest: true,
                },
            },
        }
    }

    /// The addition that may serve as the operator's bias.
    pub(super) fn bias<'r>(&self) -> Option<Bias<'r>> {
        let bias = self.fused.bias.as_ref();
        bias.map(|values| Bias::Constant(values.to_f32()))
    }

    /// The kernels, and the rest of the epilogue as an elementwise nest over their result.
    pub(super) fn finish(
        self,
        selector: &mut Selector,
        request: &Request,
        mut kernels: Vec<Kernel>,
    ) -> Offer {
        if let (true, Some(e)) = (self.rest, &request.epilogue) {
            let output = &request.outputs[0];
            if output.dtype != request.result {
                return Err("the epilogue changes the element type".to_string());
            }
            let mut operands = vec![output.clone()];
            operands.extend(selector.placed_operands(e));
            let nests = nest::elementwise(&rebased(e, &operands), &operands, output)
                .map_err(|e| e.to_string())?;
            kernels.extend(nests.into_iter().map(Kernel::Nest));
        }
        Ok(kernels)
    }
}

/// The epilogue's expression; its arguments are already numbered as the nest's operands are.
fn rebased(e: &EpilogueRequest, operands: &[View]) -> cnnc_ir::ScalarExpr {
    let args: Vec<Ex> = operands
        .iter()
        .enumerate()
        .map(|(k, v)| Ex::arg(k, v.dtype))
        .collect();
    e.expr.apply(&args).finish()
}

pub(super) fn operand<'r>(request: &'r Request, i: usize) -> Result<&'r View, String> {
    request
        .inputs
        .get(i)
        .and_then(Option::as_ref)
        .ok_or_else(|| format!("operand {i} is missing"))
}

pub(super) fn constant<'r>(request: &'r Request, i: usize) -> Result<&'r Tensor, String> {
    request
        .values
        .get(i)
        .and_then(Option::as_ref)
        .ok_or_else(|| format!("operand {i} is not a constant"))
}

pub(super) fn fixed(v: &View) -> Result<Vec<usize>, String> {
    v.dims
        .iter()
        .map(|d| match d {
            crate::memory::view::Extent::Fixed(n) => Ok(*n as usize),
            d => Err(format!("extent {d} is known only at run time")),
        })
        .collect()
}

pub(super) fn f32_only(types: impl IntoIterator<Item = DType>) -> Result<(), String> {
    match types.into_iter().find(|d| *d != DType::F32) {
        None => Ok(()),
        Some(d) => Err(format!("tiles compute f32, an operand is {d}")),
    }
}
