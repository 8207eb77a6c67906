//! Layout assignment: values between convolutions are kept with their channels in blocks ([`Layout::Blocked`]), so that no
//! reorder stands between them.
//!
//! Convolutions produce blocked values; pools, elementwise operators and channel concatenations pass the layout on. Everything
//! else reads plain values: a `Reorder` stands at the border, one for all readers. A blocked value carries a halo of zeros as wide
//! as the widest padding among the convolutions that read it.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::class::{Contract, Conv, Movement};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Dim, Graph, Layout, NodeId, OpKind, Semantics, Value};
use std::collections::HashMap;

/// Channels in a block, whatever the vector width: one AVX-512 register, two AVX2 registers, four of 128 bits.
const BLOCK: u8 = 16;

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
    for (&id, role) in &roles {
        let halo = halos.get(&id.into()).copied().unwrap_or_default();
        debug_assert!(matches!(role, Role::Conv(_) | Role::Follower));
        graph.set_layout(id.into(), Layout::Blocked { block: BLOCK, halo });
    }
    insert_reorders(graph, &order, &roles, &halos)
}

/// How a node takes part in the blocked world; nodes without a role are plain.
enum Role {
    /// Needs its first operand blocked, with this halo.
    Conv(Halo),
    /// Takes its large operands as they are.
    Follower,
}

fn role(graph: &Graph, id: NodeId, roles: &HashMap<NodeId, Role>) -> Option<Role> {
    let node = graph.node(id);
    let op = node.op()?;
    let ty = &node.outputs[0].ty;
    if node.outputs.len() != 1
        || ty.dtype != DType::F32
        || ty.rank() != 4
        || !ty.is_fixed()
        || !op.bodies.is_empty()
    {
        return None;
    }
    if ty.elements() == Some(0) {
        return None;
    }
    let is_blocked =
        |v: &Option<Value>| v.is_some_and(|v| v.slot == 0 && roles.contains_key(&v.node));
    let semantics = graph.semantics(id).ok()?;
    match semantics {
        Semantics::Contract(Contract::Conv(conv)) => {
            let w = graph.constant(node.inputs[1]?)?;
            suits(&conv, w.shape())
                .then(|| halo(&conv))
                .flatten()
                .map(Role::Conv)
        }
        Semantics::Window(_) => is_blocked(&node.inputs[0]).then_some(Role::Follower),
        Semantics::Elementwise(_) => {
            let large: Vec<&Option<Value>> = node
                .inputs
                .iter()
                .filter(|v| v.is_some_and(|v| !per_channel(graph, v, &ty.shape)))
                .collect();
            (!large.is_empty()
                && large
                    .iter()
                    .all(|v| is_blocked(v) && same_shape(graph, v, &ty.shape)))
            .then_some(Role::Follower)
        }
        Semantics::Movement(Movement::Concat { axis: 1 }) => {
            let whole = |v: &Option<Value>| {
                v.is_some_and(
                    |v| matches!(graph.ty(v).shape[1], Dim::Fixed(c) if c % u64::from(BLOCK) == 0),
                )
            };
            let (last, head) = node.inputs.split_last()?;
            (node.inputs.iter().all(is_blocked) && is_blocked(last) && head.iter().all(whole))
                .then_some(Role::Follower)
        }
        _ => None,
    }
}

fn same_shape(graph: &Graph, v: &Option<Value>, shape: &[Dim]) -> bool {
    v.is_some_and(|v| graph.ty(v).shape == shape)
}

/// Whether an operand varies at most by image and channel: such operands stay plain.
fn per_channel(graph: &Graph, v: Value, shape: &[Dim]) -> bool {
    let own = &graph.ty(v).shape;
    own != shape && own.iter().rev().take(2).all(|d| *d == Dim::Fixed(1))
}

/// Convolutions that have a blocked kernel: dense, depthwise, or grouped in whole blocks.
fn suits(conv: &Conv, w: &[usize]) -> bool {
    let block = usize::from(BLOCK);
    let (out_channels, in_per_group) = (w[0], w[1]);
    let depthwise = in_per_group == 1 && out_channels == conv.groups;
    conv.groups == 1
        || depthwise
        || (in_per_group.is_multiple_of(block)
            && (out_channels / conv.groups).is_multiple_of(block))
}

fn halo(conv: &Conv) -> Option<Halo> {
    let pad = |v: &[usize], i: usize| {
        v.get(i)
            .copied()
            .and_then(|p| u16::try_from(p).ok())
            .filter(|p| *p <= 64)
    };
    Some([
        pad(&conv.pads_begin, 0)?,
        pad(&conv.pads_begin, 1)?,
        pad(&conv.pads_end, 0)?,
        pad(&conv.pads_end, 1)?,
    ])
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
    for &id in order.iter().rev() {
        let node = graph.node(id);
        match roles.get(&id) {
            Some(Role::Conv(halo)) => widen(
                &mut halos,
                node.inputs[0].expect("a convolution's input"),
                *halo,
            ),
            Some(Role::Follower) if is_concat(graph, id) => {
                let whole = halos.get(&id.into()).copied().unwrap_or_default();
                let parts: Vec<Value> = node.inputs.iter().copied().flatten().collect();
                let widest = parts.iter().fold(whole, |mut w, p| {
                    let own = halos.get(p).copied().unwrap_or_default();
                    w.iter_mut().zip(own).for_each(|(w, o)| *w = (*w).max(o));
                    w
                });
                halos.insert(id.into(), widest);
                for p in parts {
                    widen(&mut halos, p, widest);
                }
            }
            _ => {}
        }
    }
    halos
}

fn is_concat(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).op_kind() == Some(OpKind::Concat)
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
            let is_blocked = roles.contains_key(&v.node);
            let wants_blocked = match roles.get(&id) {
                None => false,
                Some(Role::Conv(_)) if slot == 0 => true,
                // Weights and bias, and per-channel operands of an epilogue, are plain.
                Some(Role::Conv(_)) => {
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
        if roles.contains_key(&v.node) {
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
