//! Layout assignment: values between convolutions are kept with their channels in blocks ([`Layout::Blocked`]), so that no
//! reorder stands between them.
//!
//! Convolutions produce blocked values; pools, elementwise operators, pads, slices and channel concatenations pass the layout
//! on. What leaves one pixel of a plane reads blocked and is itself plain, as is everything between such single pixels.
//! Everything else reads plain values: a `Reorder` stands at the border, one for all readers, except where a convolution
//! reads the few channels of a picture as they are. A blocked value carries a halo of zeros as wide as the widest padding
//! among the convolutions that read it.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::class::{AxisMap, Contract, Conv, ConvTranspose, Movement};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Dim, Graph, Layout, NodeId, OpKind, Semantics, TensorType, Value};
use std::collections::HashMap;

/// Channels in a block, whatever the vector width: one AVX-512 register, two AVX2 registers, four of 128 bits.
const BLOCK: u8 = 16;

/// A plain value of at most so many channels is read as it is: blocks would be mostly padding.
const FEW: usize = 4;

/// Padding up to this width is done without a halo where few channels are read.
const NARROW: u16 = 4;

type Halo = [u16; 4];

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    if graph.nodes().any(|n| n.op_kind() == Some(OpKind::Reorder)) {
        return Ok(0);
    }
    let order = graph.order();
    let mut roles: HashMap<NodeId, Role> = HashMap::new();
    for &id in &order {
        if let Some(role) = role(graph, id, &roles) {
            roles.insert(id, role);
        }
    }
    let halos = halos(graph, &order, &roles);
    let mut changes = 0;
    for (&id, role) in &roles {
        let halo = halos.get(&id.into()).copied().unwrap_or_default();
        let layout = Layout::Blocked { block: BLOCK, halo };
        if role.makes_blocked() && graph.ty(id.into()).layout != layout {
            graph.set_layout(id.into(), layout);
            changes += 1;
        }
    }
    Ok(changes + insert_reorders(graph, &order, &roles, &halos)?)
}

/// How a node takes part in the blocked world; nodes without a role are plain.
enum Role {
    /// A convolution that needs its first operand blocked, with this halo.
    Conv(Halo),
    /// A convolution that reads few channels from a plain value.
    First,
    /// A filter gradient: reads the gradient of the output blocked, the input with this halo or, few channels, as it is.
    Filter(Option<Halo>),
    /// A pool's gradient: takes both operands blocked.
    Unpool,
    /// Takes its large operands as they are.
    Follower,
    /// Takes its first operand blocked and makes a plain value.
    Last,
}

impl Role {
    fn makes_blocked(&self) -> bool {
        !matches!(self, Role::Last | Role::Filter(_))
    }
}

fn is_blocked(roles: &HashMap<NodeId, Role>, v: Value) -> bool {
    v.slot == 0 && roles.get(&v.node).is_some_and(Role::makes_blocked)
}

fn role(graph: &Graph, id: NodeId, roles: &HashMap<NodeId, Role>) -> Option<Role> {
    let node = graph.node(id);
    let op = node.op()?;
    let ty = &node.outputs[0].ty;
    if node.outputs.len() != 1
        || ty.dtype != DType::F32
        || !ty.is_fixed()
        || !op.bodies.is_empty()
        || ty.elements() == Some(0)
    {
        return None;
    }
    let is_blocked = |v: &Option<Value>| v.is_some_and(|v| is_blocked(roles, v));
    let follows = |if_so| is_blocked(node.inputs.first()?).then_some(if_so);
    match graph.semantics(id).ok()? {
        Semantics::Contract(Contract::Conv(conv)) => {
            let few = !is_blocked(node.inputs.first()?) && conv.groups == 1;
            convolution(graph, id, few, &conv)
        }
        Semantics::Contract(Contract::ConvTranspose(conv)) => transposed(graph, id, &conv),
        Semantics::Contract(Contract::ConvFilter(conv)) => {
            let few = !is_blocked(node.inputs.first()?);
            filter(graph, id, few, &conv)
        }
        Semantics::Window(_) if is_pixel(ty) => follows(Role::Last),
        Semantics::Window(_) => follows(Role::Follower),
        Semantics::WindowGradient { .. } if ty.rank() == 4 => follows(Role::Unpool),
        Semantics::Reduce(reduce) if reduce.axes == [2, 3] => follows(Role::Last),
        Semantics::Elementwise(_) => {
            let mut large = node
                .inputs
                .iter()
                .filter(|v| v.is_some_and(|v| !per_channel(graph, v, &ty.shape)))
                .peekable();
            (large.peek().is_some()
                && large.all(|v| is_blocked(v) && same_shape(graph, v, &ty.shape)))
            .then_some(Role::Follower)
        }
        Semantics::Movement(Movement::View { axes, .. }) => {
            let from = graph.ty((*node.inputs.first()?)?);
            keeps_lanes(&axes, from, ty)
                .then(|| follows(Role::Follower))
                .flatten()
        }
        Semantics::Movement(Movement::Concat { axis: 1 }) => {
            let whole = |v: &Option<Value>| {
                v.is_some_and(
                    |v| matches!(graph.ty(v).shape[1], Dim::Fixed(c) if c % u64::from(BLOCK) == 0),
                )
            };
            let (_, head) = node.inputs.split_last()?;
            (node.inputs.iter().all(is_blocked) && head.iter().all(whole)).then_some(Role::Follower)
        }
        _ => None,
    }
}

/// Whether a view leaves channels in their lanes: pads and slices of planes, and slices of whole blocks of channels.
fn keeps_lanes(axes: &[AxisMap], from: &TensorType, to: &TensorType) -> bool {
    let own = |(a, map): (usize, &AxisMap)| map.axis == Some(a) && (a > 1 || map.step == 1);
    let (Some(from), Some(to)) = (from.fixed_shape(), to.fixed_shape()) else {
        return false;
    };
    axes.len() == 4
        && axes.iter().enumerate().all(own)
        && axes[0].offset == 0
        && usize::try_from(axes[1].offset)
            .is_ok_and(|offset| offset.is_multiple_of(BLOCK.into()) && offset + to[1] <= from[1])
        && from[0] == to[0]
}

/// The values that lie in the memory of a node's result, or the other way round: the parts of a concatenation, and what a slice
/// of channels is a part of.
fn sharing(graph: &Graph, id: NodeId) -> Vec<Value> {
    let inputs = || graph.node(id).inputs.iter().copied().flatten();
    match graph.semantics(id) {
        Ok(Semantics::Movement(Movement::Concat { .. })) => inputs().collect(),
        Ok(Semantics::Movement(Movement::View { fill: None, .. })) => {
            let plane = |v: Value| graph.ty(v).shape.get(2..);
            let of_planes = |v: &Value| plane(*v) == plane(id.into());
            inputs().take(1).filter(of_planes).collect()
        }
        _ => Vec::new(),
    }
}

/// A convolution with a blocked kernel; `few` if it may read few channels from a plain value.
fn convolution(graph: &Graph, id: NodeId, few: bool, conv: &Conv) -> Option<Role> {
    let node = graph.node(id);
    let (x, y) = (graph.ty((*node.inputs.first()?)?), &node.outputs[0].ty);
    let w = graph.ty(node.inputs[1]?).fixed_shape()?;
    if w.len() != 4 || !suits(conv.groups, [w[0], w[1] * conv.groups]) || is_pixel(x) && is_pixel(y)
    {
        return None;
    }
    let pad = |v: &[usize], i: usize| v.get(i).copied().and_then(width);
    let halo = [
        pad(&conv.pads_begin, 0)?,
        pad(&conv.pads_begin, 1)?,
        pad(&conv.pads_end, 0)?,
        pad(&conv.pads_end, 1)?,
    ];
    // Without a halo every width of padding that windows meet needs tiles of its own.
    if few && w[1] <= FEW && halo.into_iter().max() <= Some(NARROW) {
        return Some(Role::First);
    }
    Some(Role::Conv(halo))
}

/// A filter gradient with a kernel for blocked values; `few` if it may read few channels from a plain one.
fn filter(graph: &Graph, id: NodeId, few: bool, conv: &Conv) -> Option<Role> {
    let node = graph.node(id);
    let x = graph.ty(node.inputs[0]?).fixed_shape()?;
    let dy = graph.ty(node.inputs[1]?).fixed_shape()?;
    if x.len() != 4 || !suits(conv.groups, [x[1], dy[1]]) {
        return None;
    }
    let mut halo = [0; 4];
    for axis in 0..2 {
        halo[axis] = width(conv.pads_begin[axis])?;
        halo[axis + 2] = width(conv.pads_end[axis])?;
    }
    let few = few && conv.groups == 1 && x[1] <= FEW;
    Some(Role::Filter((!few).then_some(halo)))
}

/// A transposed convolution. Its halo is what the taps reach beyond the input.
fn transposed(graph: &Graph, id: NodeId, conv: &ConvTranspose) -> Option<Role> {
    let node = graph.node(id);
    let x = graph.ty((*node.inputs.first()?)?);
    let w = graph.ty(node.inputs[1]?).fixed_shape()?;
    if w.len() != 4 || !suits(conv.groups, [w[1] * conv.groups, w[0]]) {
        return None;
    }
    let mut halo = [0; 4];
    for axis in 0..2 {
        let extent = |n: usize| i64::try_from(n).ok();
        let stride = extent(conv.strides[axis])?;
        let reach = extent((conv.kernel[axis] - 1).checked_mul(conv.dilations[axis])?)?;
        let (input, output) = (
            x.shape[axis + 2].fixed()? as i64,
            extent(conv.output[axis])?,
        );
        let pad = conv.pads_begin[axis];
        let before = reach.checked_sub(pad)? / stride;
        let behind = (output - 1).checked_add(pad)? / stride - (input - 1);
        halo[axis] = width(before.max(0) as usize)?;
        halo[axis + 2] = width(behind.max(0) as usize)?;
    }
    Some(Role::Conv(halo))
}

/// The width of a side of a halo; wide ones are not worth their memory.
fn width(pixels: usize) -> Option<u16> {
    u16::try_from(pixels).ok().filter(|p| *p <= 64)
}

/// Whether planes are a single pixel: then blocks have nothing to gain.
fn is_pixel(ty: &TensorType) -> bool {
    matches!(ty.shape[..], [_, _, Dim::Fixed(1), Dim::Fixed(1)])
}

fn same_shape(graph: &Graph, v: &Option<Value>, shape: &[Dim]) -> bool {
    v.is_some_and(|v| graph.ty(v).shape == shape)
}

/// Whether an operand varies at most by image and channel: such operands stay plain.
fn per_channel(graph: &Graph, v: Value, shape: &[Dim]) -> bool {
    let own = &graph.ty(v).shape;
    own != shape && own.iter().rev().take(2).all(|d| *d == Dim::Fixed(1))
}

/// Convolutions between these channels that have a blocked kernel: dense, depthwise, or grouped in whole blocks.
fn suits(groups: usize, channels: [usize; 2]) -> bool {
    let whole = |channels: usize| (channels / groups).is_multiple_of(BLOCK.into());
    groups == 1 || channels == [groups; 2] || channels.into_iter().all(whole)
}

/// The halo of every value that some convolution reads blocked. Parts of a concatenation lie inside the whole and have its halo.
fn halos(graph: &Graph, order: &[NodeId], roles: &HashMap<NodeId, Role>) -> HashMap<Value, Halo> {
    let mut halos: HashMap<Value, Halo> = HashMap::new();
    let widen = |halos: &mut HashMap<Value, Halo>, v: Value, by: Halo| {
        let halo = halos.entry(v).or_default();
        for (h, b) in halo.iter_mut().zip(by) {
            *h = (*h).max(b);
        }
    };
    for (&id, role) in roles {
        if let (Role::Conv(halo) | Role::Filter(Some(halo)), Some(input)) =
            (role, graph.node(id).inputs[0])
        {
            widen(&mut halos, input, *halo);
        }
    }
    // What shares memory has one halo: widening goes on until nothing changes.
    let sharing: Vec<(Value, Vec<Value>)> = order
        .iter()
        .filter(|id| roles.contains_key(id))
        .map(|&id| (id.into(), sharing(graph, id)))
        .filter(|(_, others)| !others.is_empty())
        .collect();
    loop {
        let before = halos.clone();
        for (v, others) in sharing.iter().rev() {
            for other in others {
                let own = halos.get(other).copied().unwrap_or_default();
                widen(&mut halos, *v, own);
            }
            let whole = halos.get(v).copied().unwrap_or_default();
            for other in others {
                widen(&mut halos, *other, whole);
            }
        }
        if halos == before {
            return halos;
        }
    }
}

/// Puts reorders where a value's layout is not the one its reader takes.
fn insert_reorders(
    graph: &mut Graph,
    order: &[NodeId],
    roles: &HashMap<NodeId, Role>,
    halos: &HashMap<Value, Halo>,
) -> Result<usize, PassError> {
    let mut made: HashMap<(Value, bool), Value> = HashMap::new();
    for &id in order {
        let shape = graph
            .node(id)
            .outputs
            .first()
            .map(|o| o.ty.shape.clone())
            .unwrap_or_default();
        for slot in 0..graph.node(id).inputs.len() {
            let Some(v) = graph.node(id).inputs[slot] else {
                continue;
            };
            let is_blocked = is_blocked(roles, v);
            let wants_blocked = match roles.get(&id) {
                None => false,
                Some(Role::Conv(_)) if slot == 0 => true,
                Some(Role::Last) => slot == 0,
                Some(Role::Unpool) => true,
                Some(Role::Filter(halo)) => slot == 1 || halo.is_some(),
                // The input, weights and bias, and per-channel operands of an epilogue, are plain.
                Some(Role::Conv(_) | Role::First) => {
                    graph.ty(v).shape == shape && slot >= graph.node(id).root_inputs().len()
                }
                Some(Role::Follower) => is_blocked,
            };
            if is_blocked == wants_blocked {
                continue;
            }
            let reordered = match made.get(&(v, wants_blocked)) {
                Some(&r) => r,
                None => {
                    let halo = halos.get(&v).copied().unwrap_or_default();
                    let r = reorder(graph, v, wants_blocked, halo).map_err(at(
                        "assign_layouts",
                        graph,
                        id,
                    ))?;
                    made.insert((v, wants_blocked), r);
                    r
                }
            };
            graph.set_operand(id, slot, reordered);
        }
    }
    for (index, (_, v)) in graph.outputs().to_vec().into_iter().enumerate() {
        if is_blocked(roles, v) {
            let plain = match made.get(&(v, false)) {
                Some(&r) => r,
                None => {
                    reorder(graph, v, false, [0; 4]).map_err(at("assign_layouts", graph, v.node))?
                }
            };
            made.insert((v, false), plain);
            graph.set_output(index, plain);
        }
    }
    Ok(made.len())
}

fn reorder(
    graph: &mut Graph,
    v: Value,
    blocked: bool,
    halo: Halo,
) -> Result<Value, cnnc_ir::TypeError> {
    let (block, halo) = if blocked {
        (i64::from(BLOCK), halo)
    } else {
        (0, [0; 4])
    };
    let attrs = Attrs::from([
        ("block".to_string(), AttrValue::Int(block)),
        (
            "halo".to_string(),
            AttrValue::Ints(halo.map(i64::from).to_vec()),
        ),
    ]);
    let name = format!(
        "{}.{}",
        graph.value_name(v),
        if blocked { "blocked" } else { "plain" }
    );
    let op = Op {
        kind: OpKind::Reorder,
        attrs,
        bodies: Vec::new(),
        epilogue: None,
    };
    let new: Value = graph.add(op, vec![Some(v)], &[&name], "")?.into();
    let layout = if blocked {
        Layout::Blocked { block: BLOCK, halo }
    } else {
        Layout::Plain
    };
    graph.set_layout(new, layout);
    Ok(new)
}
