//! Classes that the runtime's portable kernels execute: data-dependent addressing, and movements over run-time extents.

use super::{Kernel, Offer, Request, Selector};
use cnnc_ir::Layout;
use cnnc_ir::class::{
    self, ActivationKind as A, Cell, Index, Movement, Recurrent, Scatter, Semantics,
};
use cnnc_runtime::portable as p;
use cnnc_runtime::portable::Portable;

/// An [`Index`] routine.
pub fn routine(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Index(index) = request.semantics else {
        return Err("not a routine".to_string());
    };
    if request.epilogue.is_some() {
        return Err("a routine takes no epilogue".to_string());
    }
    call(selector, request, kernel(index))
}

/// A pool's gradient in any number of dimensions.
pub fn window_gradient(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::WindowGradient { window, rectified } = request.semantics else {
        return Err("not a pool's gradient".to_string());
    };
    let sizes = |list: &[usize]| list.iter().map(|&n| n as u64).collect();
    let kernel = p::MaxPoolGradient {
        kernel: sizes(&window.kernel),
        strides: sizes(&window.strides),
        dilations: sizes(&window.dilations),
        pads: sizes(&window.pads_begin),
        rectified: *rectified,
    };
    call(selector, request, kernel.into())
}

/// A movement that loop nests cannot express: run-time extents merge or split, or parts of unknown extent follow each other.
pub fn movement(selector: &mut Selector, request: &Request) -> Offer {
    let kernel = match request.semantics {
        Semantics::Movement(Movement::Reshape) => p::Copy.into(),
        Semantics::Movement(Movement::Concat { axis }) => p::Concat { axis: *axis as u32 }.into(),
        _ => return Err("not a reshape or a concatenation".to_string()),
    };
    call(selector, request, kernel)
}

fn call(selector: &mut Selector, request: &Request, kernel: Portable) -> Offer {
    let inputs = selector.placed(&request.inputs, &request.values);
    if inputs
        .iter()
        .flatten()
        .chain(&request.outputs)
        .any(|v| v.layout != Layout::Plain)
    {
        return Err("an operand is blocked".to_string());
    }
    Ok(vec![Kernel::Portable {
        kernel,
        inputs,
        outputs: request.outputs.clone(),
    }])
}

fn kernel(index: &Index) -> Portable {
    let axis = |a: usize| a as u32;
    match index {
        Index::Gather { axis: a } => p::Gather { axis: axis(*a) }.into(),
        Index::GatherElements { axis: a } => p::GatherElements { axis: axis(*a) }.into(),
        Index::GatherNd { batch_dims } => p::GatherNd {
            batch_dims: axis(*batch_dims),
        }
        .into(),
        Index::ScatterElements { axis: a, reduction } => p::ScatterElements {
            axis: axis(*a),
            reduction: scatter(*reduction),
        }
        .into(),
        Index::ScatterNd { reduction } => p::ScatterNd {
            reduction: scatter(*reduction),
        }
        .into(),
        Index::TopK {
            axis: a,
            largest,
            sorted,
        } => p::TopK {
            axis: axis(*a),
            largest: *largest,
            sorted: *sorted,
        }
        .into(),
        Index::Cumulative {
            axis: a,
            exclusive,
            reverse,
            product,
        } => p::Cumulative {
            axis: axis(*a),
            exclusive: *exclusive,
            reverse: *reverse,
            product: *product,
        }
        .into(),
        Index::NonZero => p::NonZero.into(),
        Index::Compress { axis: a } => p::Compress { axis: a.map(axis) }.into(),
        Index::Unique { axis: a, sorted } => p::Unique {
            axis: a.map(axis),
            sorted: *sorted,
        }
        .into(),
        Index::NonMaxSuppression { center_point_box } => p::NonMaxSuppression {
            center_point_box: *center_point_box,
        }
        .into(),
        Index::ReverseSequence {
            batch_axis,
            time_axis,
        } => p::ReverseSequence {
            batch_axis: axis(*batch_axis),
            time_axis: axis(*time_axis),
        }
        .into(),
        Index::RoiAlign {
            mode_max,
            half_pixel,
            sampling_ratio,
            spatial_scale,
            output: _,
        } => p::RoiAlign {
            pooling: if *mode_max {
                p::RoiPooling::Max
            } else {
                p::RoiPooling::Average
            },
            half_pixel: *half_pixel,
            sampling_ratio: u32::try_from(*sampling_ratio).unwrap_or(0),
            spatial_scale: *spatial_scale as f32,
        }
        .into(),
        Index::Det => p::Det.into(),
        Index::Recurrent(r) => recurrent(r),
    }
}

fn scatter(s: Scatter) -> p::Reduction {
    match s {
        Scatter::Replace => p::Reduction::None,
        Scatter::Add => p::Reduction::Add,
        Scatter::Mul => p::Reduction::Mul,
        Scatter::Max => p::Reduction::Max,
        Scatter::Min => p::Reduction::Min,
    }
}

fn recurrent(r: &Recurrent) -> Portable {
    let hidden_size = r.hidden as u32;
    let direction = match r.direction {
        class::Direction::Forward => p::Direction::Forward,
        class::Direction::Reverse => p::Direction::Reverse,
        class::Direction::Bidirectional => p::Direction::Bidirectional,
    };
    let activations = r.activations.iter().map(activation).collect();
    let (batch_first, clip) = (r.batch_first, r.clip.map(|c| c as f32));
    match r.cell {
        Cell::Rnn => p::Rnn {
            hidden_size,
            direction,
            batch_first,
            activations,
            clip,
        }
        .into(),
        Cell::Gru => {
            let linear_before_reset = r.linear_before_reset;
            p::Gru {
                hidden_size,
                direction,
                batch_first,
                activations,
                clip,
                linear_before_reset,
            }
            .into()
        }
        Cell::Lstm => {
            let input_forget = r.input_forget;
            p::Lstm {
                hidden_size,
                direction,
                batch_first,
                activations,
                clip,
                input_forget,
            }
            .into()
        }
    }
}

fn activation(a: &class::Activation) -> p::Activation {
    let kind = match a.kind {
        A::Relu => p::ActivationKind::Relu,
        A::Tanh => p::ActivationKind::Tanh,
        A::Sigmoid => p::ActivationKind::Sigmoid,
        A::Affine => p::ActivationKind::Affine,
        A::LeakyRelu => p::ActivationKind::LeakyRelu,
        A::ThresholdedRelu => p::ActivationKind::ThresholdedRelu,
        A::ScaledTanh => p::ActivationKind::ScaledTanh,
        A::HardSigmoid => p::ActivationKind::HardSigmoid,
        A::Elu => p::ActivationKind::Elu,
        A::Softsign => p::ActivationKind::Softsign,
        A::Softplus => p::ActivationKind::Softplus,
    };
    p::Activation {
        kind,
        alpha: a.alpha as f32,
        beta: a.beta as f32,
    }
}
