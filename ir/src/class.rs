//! Classes: what an operator *is*, independent of its name. Lowering, fusion and the interpreter go by class.

use crate::expr::ScalarExpr;
use crate::graph::Graph;
use crate::types::DType;

/// The meaning of an operator applied to operands of known types.
#[derive(Clone, Debug)]
pub enum Semantics {
    /// `out[i] = expr(x0[i], x1[i], ...)`, operands broadcast to the output by numpy's rule. No operands: a source (iota, fill).
    Elementwise(ScalarExpr),
    Reduce(Reduce),
    Contract(Contract),
    Window(Window),
    /// What maximum pooling passes back. Operands: `x` and the gradient of the pooled values; the result has the shape of x:
    /// `dx[i] = sum of dy[o]` over the windows o that i wins. A window is won by the first of its elements that no later one exceeds, so
    /// by a NaN only where it comes first. Where `rectified`, windows whose winner is not above 0 pass nothing back.
    WindowGradient {
        window: Window,
        rectified: bool,
    },
    Movement(Movement),
    /// Addressing that depends on data, sorting, recurrences: one named routine each.
    Index(Index),
    /// A graph of simpler operators; its inputs are the node's given operands in order (left-out ones skipped), its outputs the
    /// node's outputs in order.
    Compose(Box<Graph>),
    /// `If` and `Loop`: the node's bodies say what happens.
    Control(Control),
}

/// `out = finish(combine over axes of map(x))`; reduced axes are kept as 1 or dropped. Accumulates in the type of `map`'s result.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Sorted axes of the input; may be empty (then only `map` and `finish` act).
    pub axes: Vec<usize>,
    pub keepdims: bool,
    pub combine: Combine,
    /// Applied to each element (argument 0) before combining.
    pub map: Option<ScalarExpr>,
    /// Applied to the combined value (argument 0); the number of combined elements, in the same type, is argument 1.
    pub finish: Option<ScalarExpr>,
}

/// How a reduction combines. `ArgMax`/`ArgMin` yield the i64 position of the first (or last) extreme element along the one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    Sum,
    Prod,
    Max,
    Min,
    ArgMax { last: bool },
    ArgMin { last: bool },
}

/// Sums of products. Operands: `x, w, [bias]` or `a, b`.
#[derive(Clone, Debug, PartialEq)]
pub enum Contract {
    /// `y[n,m,o..] = b[m] + sum_{c,k..} x[n, g*C/G + c, o*stride + k*dilation - pad_begin] * w[m,c,k..]`; x outside is 0.
    Conv(Conv),
    /// The gradient of [`Contract::Conv`] with respect to its input; `w[C, M/G, k..]`.
    ConvTranspose(ConvTranspose),
    /// The gradient of [`Contract::Conv`] with respect to its weights. Operands: the input and the gradient of the output;
    /// `w[m,c,k..] = sum_{n,o..} dy[n,m,o..] x[n, g*C/G + c, o*stride + k*dilation - pad_begin]`.
    ConvFilter(Conv),
    /// numpy `matmul` over the last two axes, leading axes broadcast; operands of rank >= 2. A transposed operand has its last two
    /// axes swapped.
    MatMul {
        transpose_a: bool,
        transpose_b: bool,
    },
}

/// Geometry of a convolution; one entry per spatial axis. Output size: `(in + pads - dilation*(k-1) - 1) / stride + 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    pub groups: usize,
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    pub pads_begin: Vec<usize>,
    pub pads_end: Vec<usize>,
}

/// Geometry of a transposed convolution: `y[o*stride + k*dilation - pad_begin] += x[o] * w[k]`, cut to `output` spatial sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    pub groups: usize,
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    /// May be negative (output padding beyond, `output_shape`).
    pub pads_begin: Vec<i64>,
    /// Spatial sizes of the output.
    pub output: Vec<usize>,
}

/// Pooling over the spatial axes (2..) of `x[N,C,d..]`. The output's sizes are those of the node's type.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub kind: WindowKind,
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    pub pads_begin: Vec<usize>,
    pub pads_end: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowKind {
    /// Padding never wins; a window of padding only gives -inf (the type's lowest).
    Max,
    /// Position of the maximum in the whole flattened input (i64); `column_major` as ONNX's storage_order 1 has it.
    ArgMax { column_major: bool },
    /// Divisor: elements inside the input, or (`count_pad`) inside the padded input: cells beyond `pads_end` never count.
    Average { count_pad: bool },
    /// `(sum |x|^p)^(1/p)`.
    Lp { p: i64 },
}

/// Elements change place, not value.
#[derive(Clone, Debug, PartialEq)]
pub enum Movement {
    /// Same elements in row-major order under the output's shape.
    Reshape,
    /// `out[o] = x[i]`, with `i[a] = offset_a + step_a * o[axis_a]` for every input axis `a`, or `fill` where `i` is outside.
    View {
        axes: Vec<AxisMap>,
        fill: Option<f64>,
    },
    /// Operands one after the other along an axis.
    Concat { axis: usize },
}

/// Where an input axis' coordinate comes from; `axis: None` means the constant `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisMap {
    pub axis: Option<usize>,
    pub step: i64,
    pub offset: i64,
}

impl AxisMap {
    /// The coordinate of output axis `axis` itself.
    pub fn same(axis: usize) -> AxisMap {
        AxisMap {
            axis: Some(axis),
            step: 1,
            offset: 0,
        }
    }
}

/// Routines whose addresses depend on data. Indices may be negative (counted from the end) and must be in range.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// `x, i -> out[.., i.., ..]` along `axis`.
    Gather {
        axis: usize,
    },
    /// `out[..o..] = x[..i[o]..]` along `axis`, `out` of the shape of `i`.
    GatherElements {
        axis: usize,
    },
    GatherNd {
        batch_dims: usize,
    },
    /// `x, indices, updates`.
    ScatterElements {
        axis: usize,
        reduction: Scatter,
    },
    ScatterNd {
        reduction: Scatter,
    },
    /// `x -> values, indices (i64)`; equal values keep the order of their positions. `k` is the output's extent.
    TopK {
        axis: usize,
        largest: bool,
        sorted: bool,
    },
    /// Running sum or product.
    Cumulative {
        axis: usize,
        exclusive: bool,
        reverse: bool,
        product: bool,
    },
    /// `x -> i64[rank, n]`, n a data-dependent extent.
    NonZero,
    /// `x, condition`; axis `None` flattens.
    Compress {
        axis: Option<usize>,
    },
    /// `x -> y, indices, inverse_indices, counts`.
    Unique {
        axis: Option<usize>,
        sorted: bool,
    },
    /// `boxes, scores, [max_output], [iou], [score] -> i64[n,3]`.
    NonMaxSuppression {
        center_point_box: bool,
    },
    ReverseSequence {
        batch_axis: usize,
        time_axis: usize,
    },
    /// `x, rois, batch_indices`.
    RoiAlign {
        mode_max: bool,
        half_pixel: bool,
        sampling_ratio: i64,
        spatial_scale: f64,
        output: [usize; 2],
    },
    Det,
    /// `x, w, r, [b], [sequence_lens], [initial_h], [initial_c], [p] -> [y], [y_h], [y_c]`.
    Recurrent(Recurrent),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scatter {
    Replace,
    Add,
    Mul,
    Max,
    Min,
}

/// ONNX's LSTM, GRU and RNN.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    pub cell: Cell,
    pub direction: Direction,
    pub hidden: usize,
    /// One entry a gate function and direction, in ONNX's order.
    pub activations: Vec<Activation>,
    pub clip: Option<f64>,
    /// GRU only.
    pub linear_before_reset: bool,
    /// LSTM only.
    pub input_forget: bool,
    /// `x[batch, seq, input]` instead of `x[seq, batch, input]`.
    pub batch_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Lstm,
    Gru,
    Rnn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
    Bidirectional,
}

/// An activation by ONNX's name with its two parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    pub kind: ActivationKind,
    pub alpha: f64,
    pub beta: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    Relu,
    Tanh,
    Sigmoid,
    Affine,
    LeakyRelu,
    ThresholdedRelu,
    ScaledTanh,
    HardSigmoid,
    Elu,
    Softsign,
    Softplus,
}

/// Control flow. Bodies take the captured values as inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Operands: condition, then the captured values; bodies: then, else, both with the captured values as inputs.
    If,
    /// Operands: trip count (i64) or absent, condition or absent, loop-carried values, then captured values (the attribute
    /// `carried` counts the former). Body: `(iteration, condition, carried.., captured..) -> (condition, carried..)`.
    Loop { carried: usize },
}

/// The identity element of a combination for that type.
pub fn neutral(combine: Combine, dtype: DType) -> f64 {
    let range = dtype.int_range();
    match combine {
        Combine::Sum => 0.0,
        Combine::Prod => 1.0,
        Combine::Max | Combine::ArgMax { .. } => range.map_or(f64::NEG_INFINITY, |r| r.0 as f64),
        Combine::Min | Combine::ArgMin { .. } => range.map_or(f64::INFINITY, |r| r.1 as f64),
    }
}
