//! Sums of products as guarded loops: convolution of any rank, grouping and dilation, its transpose, and matrix products.
//!
//! These are the reference and the fallback; hot shapes are tiles. Reductions run kernel axes first and channels innermost, so that
//! guards are tested once a kernel position.

use super::axes::{Axes, Coordinate, Core, access, block, operand};
use super::{Affine, Epilogue, Guard, Load, LowerError, Nest, Quotient, Role};
use crate::memory::view::{Extent, View};
use cnnc_ir::class::{Combine, Contract, Conv, ConvTranspose};
use cnnc_ir::{DType, Ex, ScalarExpr};

/// `output = epilogue(contraction(inputs) + bias)`; accumulates in the compute type of the first operand.
///
/// # Errors
/// When ranks disagree, an operand is missing or a blocked view cannot be addressed.
pub fn contract(
    class: &Contract,
    inputs: &[View],
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Vec<Nest>, LowerError> {
    let operand = |k: usize| {
        inputs
            .get(k)
            .ok_or(LowerError::MissingOperand { operand: k })
    };
    let (a, b) = (operand(0)?, operand(1)?);
    let nest = match class {
        Contract::Conv(conv) => convolution(conv, a, b, inputs.get(2), output, epilogue)?,
        Contract::ConvTranspose(conv) => transposed(conv, a, b, inputs.get(2), output, epilogue)?,
        Contract::ConvFilter(conv) => filter(conv, a, b, output, epilogue)?,
        Contract::MatMul {
            transpose_a,
            transpose_b,
        } => matmul([*transpose_a, *transpose_b], a, b, output, epilogue)?,
    };
    Ok(vec![nest.simplify()])
}

/// Channels of input and output as coordinates, with the loops of the output opened.
struct Channels {
    axes: Axes,
    /// Coordinates of the output, `[n, m, o..]`.
    to: Vec<Coordinate>,
    /// Coordinate of the input channel.
    input: Coordinate,
    /// Coordinate of the input channel within its group.
    within: Coordinate,
    /// Coordinate of the output channel within its group.
    produced: Coordinate,
    guards: Vec<Guard>,
}

/// Opens the loops of the output, then `kernel` reduction loops, then those over input channels.
fn channels(
    groups: u64,
    input: &View,
    output: &View,
    kernel: &[usize],
) -> Result<(Channels, Vec<Coordinate>), LowerError> {
    let mut axes = Axes::default();
    let c = input.dims[1].upper() / groups.max(1);
    let m = output.dims[1].upper() / groups.max(1);
    let depthwise = groups > 1 && c == 1 && m == 1;
    let size = block(output).or(if depthwise { block(input) } else { None });
    let mut dims = output.dims.clone();
    if groups > 1 && !depthwise {
        // One loop over groups, one over the channels of a group.
        dims[1] = Extent::Fixed(m);
        dims.insert(1, Extent::Fixed(groups));
        if size.is_some_and(|s| !m.is_multiple_of(u64::from(s))) {
            return Err(LowerError::Layout {
                what: "a group of output channels that is no whole number of blocks",
                layout: output.layout.to_string(),
            });
        }
    }
    let channel = if groups > 1 && !depthwise { 2 } else { 1 };
    let mut split = vec![None; dims.len()];
    split[channel] = size;
    let mut to = axes.parallel(&dims, &split);
    let kernel: Vec<Coordinate> = kernel
        .iter()
        .map(|&k| axes.axis(Extent::Fixed(k as u64), Role::Reduce))
        .collect();
    let zero = Coordinate::of(Affine::default());
    let (input_channel, within, produced, guards) = if depthwise {
        (to[1].clone(), zero.clone(), zero, Vec::new())
    } else {
        let produced = to[channel].clone();
        let extent = [Extent::Fixed(c)];
        let within = axes.grid(&extent, &[block(input)], Role::Reduce)[0].clone();
        let guards: Vec<Guard> = within.guard().into_iter().collect();
        let mut from = within.clone();
        if groups > 1 {
            let group = to.remove(1);
            from = from.in_group(&group, c);
            to[1] = produced.in_group(&group, m);
        }
        (from, within, produced, guards)
    };
    let channels = Channels {
        axes,
        to,
        input: input_channel,
        within,
        produced,
        guards,
    };
    Ok((channels, kernel))
}

/// `x * w`, and `sum + bias`.
fn product(x: &View, w: &View, bias: bool) -> (ScalarExpr, ScalarExpr, DType) {
    let value = x.dtype.compute();
    let map = Ex::arg(0, value) * Ex::arg(1, w.dtype).cast(value);
    let sum = Ex::arg(0, value);
    let finish = if bias { sum + Ex::arg(2, value) } else { sum };
    (map.finish(), finish.finish(), value)
}

fn check_rank(operand: usize, view: &View, expected: usize) -> Result<(), LowerError> {
    let found = view.dims.len();
    (found == expected).then_some(()).ok_or(LowerError::Rank {
        operand,
        found,
        expected,
    })
}

fn convolution(
    conv: &Conv,
    x: &View,
    w: &View,
    bias: Option<&View>,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Nest, LowerError> {
    let rank = conv.kernel.len() + 2;
    check_rank(0, x, rank)?;
    check_rank(1, w, rank)?;
    check_rank(2, output, rank)?;
    let (parts, kernel) = channels(conv.groups as u64, x, output, &conv.kernel)?;
    let mut from = vec![parts.to[0].clone(), parts.input];
    let mut weight = vec![parts.to[1].clone(), parts.within];
    let mut guards = parts.guards;
    for (a, k) in kernel.into_iter().enumerate() {
        let at = Affine::constant(-(conv.pads_begin[a] as i64))
            .plus_scaled(&parts.to[a + 2].affine, conv.strides[a] as i64)
            .plus_scaled(&k.affine, conv.dilations[a] as i64);
        if conv.pads_begin[a] + conv.pads_end[a] > 0 || x.dims[a + 2] == Extent::Fixed(1) {
            guards.push(Guard {
                coordinate: at.clone(),
                extent: x.dims[a + 2],
            });
        }
        from.push(Coordinate::of(at));
        weight.push(k);
    }
    let (map, finish, accumulator) = product(x, w, bias.is_some());
    let core = Core {
        label: "conv",
        axes: parts.axes,
        loads: vec![Load::plain(access(x, &from)?), weights(w, &weight)?],
        guards,
        map,
        combine: Combine::Sum,
        accumulator,
        position: Affine::default(),
        count: Vec::new(),
        finish,
        extra: bias_load(bias, &parts.to)?,
    };
    core.into_nest(output, &parts.to, epilogue)
}

/// Weights are not read beyond a ragged channel axis.
fn weights(w: &View, coordinates: &[Coordinate]) -> Result<Load, LowerError> {
    operand(w, coordinates)
}

/// `bias[m]`.
fn bias_load(bias: Option<&View>, to: &[Coordinate]) -> Result<Vec<Load>, LowerError> {
    bias.map(|view| operand(view, &to[1..2]))
        .into_iter()
        .collect()
}

fn transposed(
    conv: &ConvTranspose,
    x: &View,
    w: &View,
    bias: Option<&View>,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Nest, LowerError> {
    let rank = conv.kernel.len() + 2;
    check_rank(0, x, rank)?;
    check_rank(1, w, rank)?;
    check_rank(2, output, rank)?;
    let (parts, kernel) = channels(conv.groups as u64, x, output, &conv.kernel)?;
    let mut from = vec![parts.to[0].clone(), parts.input.clone()];
    let mut weight = vec![parts.input, parts.produced];
    let mut guards = parts.guards;
    let mut quotients = Vec::new();
    for (a, k) in kernel.into_iter().enumerate() {
        // y[o] gathers x[(o + pad - k * dilation) / stride].
        let at = Affine::constant(conv.pads_begin[a])
            .plus_scaled(&parts.to[a + 2].affine, 1)
            .plus_scaled(&k.affine, -(conv.dilations[a] as i64));
        let extent = x.dims[a + 2];
        if conv.strides[a] == 1 {
            guards.push(Guard {
                coordinate: at.clone(),
                extent,
            });
            from.push(Coordinate::of(at));
        } else {
            let counter = parts.axes.loops.len() + quotients.len();
            quotients.push(Quotient {
                numerator: at,
                divisor: conv.strides[a] as u64,
                extent,
            });
            from.push(Coordinate::of(Affine::default().plus(counter, 1)));
        }
        weight.push(k);
    }
    let (map, finish, accumulator) = product(x, w, bias.is_some());
    let core = Core {
        label: "conv_transpose",
        // A depthwise reduction has its kernel loops; there always is one.
        axes: parts.axes,
        loads: vec![Load::plain(access(x, &from)?), weights(w, &weight)?],
        guards,
        map,
        combine: Combine::Sum,
        accumulator,
        position: Affine::default(),
        count: Vec::new(),
        finish,
        extra: bias_load(bias, &parts.to)?,
    };
    let mut nest = core.into_nest(output, &parts.to, epilogue)?;
    nest.quotients = quotients;
    Ok(nest)
}

/// The gradient of a convolution's weights: loops over these, then sums over images and output positions.
fn filter(
    conv: &Conv,
    x: &View,
    dy: &View,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Nest, LowerError> {
    let rank = conv.kernel.len() + 2;
    for (operand, view) in [x, dy, output].into_iter().enumerate() {
        check_rank(operand, view, rank)?;
    }
    let groups = conv.groups as u64;
    let [made, read] = [&output.dims[0], &output.dims[1]].map(|d| d.upper());
    let per_group = made / groups.max(1);
    let mut axes = Axes::default();
    let mut dims = output.dims.clone();
    let grouped = groups > 1 && per_group > 1;
    if grouped {
        dims[0] = Extent::Fixed(per_group);
        dims.insert(0, Extent::Fixed(groups));
    }
    let channel = usize::from(grouped);
    let mut split = vec![None; dims.len()];
    split[channel] = block(dy);
    if groups == 1 {
        split[channel + 1] = block(x);
    }
    let mut to = axes.parallel(&dims, &split);
    // Which input channels a filter reads: those of its group.
    let input = match (groups, grouped) {
        (1, _) => to[1].clone(),
        (_, false) if read == 1 => to[0].clone(),
        (_, false) => to[1].in_group(&to[0], read),
        (_, true) => to[2].in_group(&to[0], read),
    };
    if grouped {
        let group = to.remove(0);
        to[0] = to[0].in_group(&group, per_group);
    }
    let image = axes.axis(x.dims[0], Role::Reduce);
    let (mut from, mut given) = (vec![image.clone(), input], vec![image, to[0].clone()]);
    let mut guards: Vec<Guard> = to[..2].iter().filter_map(Coordinate::guard).collect();
    for a in 0..conv.kernel.len() {
        let position = axes.axis(dy.dims[a + 2], Role::Reduce);
        let at = Affine::constant(-(conv.pads_begin[a] as i64))
            .plus_scaled(&position.affine, conv.strides[a] as i64)
            .plus_scaled(&to[a + 2].affine, conv.dilations[a] as i64);
        if conv.pads_begin[a] + conv.pads_end[a] > 0 {
            guards.push(Guard {
                coordinate: at.clone(),
                extent: x.dims[a + 2],
            });
        }
        from.push(Coordinate::of(at));
        given.push(position);
    }
    let (map, finish, accumulator) = product(x, dy, false);
    let core = Core {
        label: "conv_filter",
        axes,
        loads: vec![
            Load::plain(access(x, &from)?),
            Load::plain(access(dy, &given)?),
        ],
        guards,
        map,
        combine: Combine::Sum,
        accumulator,
        position: Affine::default(),
        count: Vec::new(),
        finish,
        extra: Vec::new(),
    };
    core.into_nest(output, &to, epilogue)
}

fn matmul(
    transpose: [bool; 2],
    a: &View,
    b: &View,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Nest, LowerError> {
    let rank = output.dims.len();
    if a.dims.len() < 2 || b.dims.len() < 2 || rank < 2 {
        check_rank(0, a, 2)?;
        check_rank(1, b, 2)?;
        check_rank(2, output, 2)?;
    }
    let depth = a.dims[a.dims.len() - if transpose[0] { 2 } else { 1 }];
    let mut axes = Axes::default();
    let to = axes.parallel(&output.dims, &[]);
    let k = axes.axis(depth, Role::Reduce);
    let (row, column) = (to[rank - 2].clone(), to[rank - 1].clone());
    let place = |view: &View, swap: bool, pair: [Coordinate; 2]| {
        let batch = view
            .dims
            .len()
            .checked_sub(2)
            .filter(|&n| n <= rank - 2)
            .ok_or(LowerError::Overflow)?;
        let mut at: Vec<Coordinate> = to[rank - 2 - batch..rank - 2].to_vec();
        let [first, second] = pair;
        at.extend(if swap {
            [second, first]
        } else {
            [first, second]
        });
        access(view, &at).map(Load::plain)
    };
    let loads = vec![
        place(a, transpose[0], [row, k.clone()])?,
        place(b, transpose[1], [k, column])?,
    ];
    let (map, finish, accumulator) = product(a, b, false);
    let core = Core {
        label: "matmul",
        axes,
        loads,
        guards: Vec::new(),
        map,
        combine: Combine::Sum,
        accumulator,
        position: Affine::default(),
        count: Vec::new(),
        finish,
        extra: Vec::new(),
    };
    core.into_nest(output, &to, epilogue)
}
