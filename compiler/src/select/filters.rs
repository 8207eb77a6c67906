//! A contraction's filters and bias: constants, packed when the program is compiled, or computed values, packed by a step of
//! their own into memory that the contraction works with.

use super::contract::{Epilogue, constant, operand};
use super::{Kernel, Place, Request, Selector, Tiled};
use crate::kernel::nest;
use crate::kernel::packing::{BlockCopy, Packing};
use crate::kernel::plan::Plan;
use crate::memory::view::{Extent, Space, View};
use cnnc_ir::{DType, Ex, Layout, Tensor};

/// Elements of an operand, whenever they are known.
#[derive(Clone, Copy)]
pub(super) enum Filter<'r> {
    Constant(&'r Tensor),
    /// Plain and dense.
    Computed(&'r View),
}

/// What is added to every channel.
pub(super) enum Bias<'r> {
    Constant(Vec<f32>),
    /// Plain and dense.
    Computed(&'r View),
}

impl<'r> Filter<'r> {
    /// Operand `i`.
    pub(super) fn of(request: &'r Request, i: usize) -> Result<Filter<'r>, String> {
        if let Ok(tensor) = constant(request, i) {
            return Ok(Filter::Constant(tensor));
        }
        let view = operand(request, i)?;
        match view.is_dense() {
            true => Ok(Filter::Computed(view)),
            false => Err(format!("operand {i} is computed and does not lie dense")),
        }
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Filter::Constant(tensor) => tensor.dtype(),
            Filter::Computed(view) => view.dtype,
        }
    }

    pub(super) fn constant(self) -> Result<&'r Tensor, String> {
        match self {
            Filter::Constant(tensor) => Ok(tensor),
            Filter::Computed(_) => Err("the weights are computed".to_string()),
        }
    }

    /// Where the filters lie packed, and what packs them.
    pub(super) fn pack(
        self,
        selector: &mut Selector,
        packing: &Packing,
    ) -> Result<(Place, Vec<Kernel>), String> {
        match self {
            Filter::Constant(tensor) => {
                let packed = packing
                    .pack(&tensor.to_f32())
                    .ok_or("the weights are shorter than their shape")?;
                let place = Place {
                    space: Space::Weights,
                    offset: selector.constants.floats(&packed),
                };
                Ok((place, Vec::new()))
            }
            Filter::Computed(view) => {
                let place = selector.reserve(packing.len() * size_of::<f32>())?;
                let kernels = copied(&packing.copies(), Place::from(view), place)?;
                Ok((place, kernels))
            }
        }
    }
}

impl<'r> Bias<'r> {
    /// Operand `i`, if given.
    pub(super) fn of(request: &'r Request, i: usize) -> Result<Option<Bias<'r>>, String> {
        let given = request.inputs.get(i).is_some_and(Option::is_some);
        let bias = given.then(|| Filter::of(request, i)).transpose()?;
        Ok(bias.map(|bias| match bias {
            Filter::Constant(tensor) => Bias::Constant(tensor.to_f32()),
            Filter::Computed(view) => Bias::Computed(view),
        }))
    }

    fn place(&self, selector: &mut Selector, packing: &Packing) -> Result<Place, String> {
        match self {
            Bias::Constant(values) => {
                let packed = packing.pack_bias(values);
                let packed = packed.ok_or("the bias is shorter than the channels")?;
                Ok(Place {
                    space: Space::Weights,
                    offset: selector.constants.floats(&packed),
                })
            }
            Bias::Computed(view) => Ok(Place::from(*view)),
        }
    }
}

/// Copies as loop nests.
pub(super) fn copied(copies: &[BlockCopy], from: Place, to: Place) -> Result<Vec<Kernel>, String> {
    summed(copies, &[from], to)
}

/// Copies of the sum of what lies in several places, added in their order.
pub(super) fn summed(
    copies: &[BlockCopy],
    from: &[Place],
    to: Place,
) -> Result<Vec<Kernel>, String> {
    let terms = (0..from.len()).map(|k| Ex::arg(k, DType::F32));
    let sum = terms
        .reduce(|sum, term| sum + term)
        .ok_or("nothing is copied")?;
    let sum = sum.finish();
    let mut kernels = Vec::new();
    for copy in copies {
        let from: Vec<View> = from.iter().map(|from| strided(copy, *from, true)).collect();
        let to = strided(copy, to, false);
        let nests = nest::elementwise(&sum, &from, &to).map_err(|e| e.to_string())?;
        kernels.extend(nests.into_iter().map(Kernel::Nest));
    }
    Ok(kernels)
}

/// One side of a copy as a view.
fn strided(copy: &BlockCopy, place: Place, is_source: bool) -> View {
    let first = if is_source { copy.source } else { copy.target };
    let axes = copy.axes.iter();
    View {
        space: place.space,
        offset: place.offset + (first * size_of::<f32>()) as u64,
        dtype: DType::F32,
        dims: axes
            .clone()
            .map(|axis| Extent::Fixed(axis.count as u64))
            .collect(),
        strides: axes
            .map(|axis| if is_source { axis.source } else { axis.target } as i64)
            .collect(),
        layout: Layout::Plain,
    }
}

/// A contraction's plan bound to its operands, behind the kernels that pack its filters.
pub(super) fn packed(
    selector: &mut Selector,
    request: &Request,
    mut plan: Plan,
    weights: Filter,
    bias: Option<&Bias>,
    split: &Epilogue,
) -> Result<Vec<Kernel>, String> {
    if let Some(Bias::Computed(_)) = bias {
        plan.read_bias_in_place();
    }
    let packing = plan.packing.as_ref().ok_or("the plan has no packing")?;
    let output = Place::from(&request.outputs[0]);
    let (weights, mut kernels) = weights.pack(selector, packing)?;
    let bias = bias.map(|bias| bias.place(selector, packing)).transpose()?;
    kernels.push(Kernel::Tiled(Tiled {
        target: selector.target,
        input: Place::from(operand(request, 0)?),
        weights,
        output,
        bias: bias.unwrap_or(output),
        residual: split.fused.residual.unwrap_or(output),
        plan,
    }));
    Ok(kernels)
}
