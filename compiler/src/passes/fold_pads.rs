//! A pad of zeros in front of a convolution becomes the convolution's own padding.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::class::{Contract, Conv, Movement};
use cnnc_ir::{Graph, NodeId, OpKind, Semantics, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        if graph.node(id).op_kind() != Some(OpKind::Conv) {
            continue;
        }
        let Some((source, pads)) = padded_input(graph, id) else {
            continue;
        };
        let node = graph.node(id);
        let (mut op, mut inputs, label) = (
            node.op().expect("a Conv").clone(),
            node.inputs.clone(),
            node.label.clone(),
        );
        op.attrs.remove("auto_pad");
        op.attrs.insert("pads".to_string(), AttrValue::Ints(pads));
        inputs[0] = Some(source);
        let new = graph
            .add(op, inputs, &[""], &label)
            .map_err(at("fold_pads", graph, id))?;
        graph.replace_uses(id.into(), new.into());
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// What is padded, and the pads of pad and convolution together.
fn padded_input(graph: &Graph, id: NodeId) -> Option<(Value, Vec<i64>)> {
    let Ok(Semantics::Contract(Contract::Conv(Conv {
        pads_begin,
        pads_end,
        ..
    }))) = graph.semantics(id)
    else {
        return None;
    };
    let padded = graph.node(id).inputs[0]?;
    let pad = graph.node(padded.node);
    if pad.op()?.epilogue.is_some() {
        return None;
    }
    let Ok(Semantics::Movement(Movement::View {
        axes,
        fill: Some(0.0),
    })) = graph.semantics(padded.node)
    else {
        return None;
    };
    let source = pad.inputs[0]?;
    let (from, to) = (
        graph.ty(source).fixed_shape()?,
        graph.ty(padded).fixed_shape()?,
    );
    let mut pads = vec![0; 2 * pads_begin.len()];
    for (a, map) in axes.iter().enumerate() {
        let begin = -map.offset;
        let end = to.get(a).copied()? as i64 - from.get(a).copied()? as i64 - begin;
        if map.axis != Some(a)
            || map.step != 1
            || begin < 0
            || end < 0
            || (a < 2 && (begin, end) != (0, 0))
        {
            return None;
        }
        if a >= 2 {
            pads[a - 2] = pads_begin[a - 2] as i64 + begin;
            pads[a - 2 + pads_begin.len()] = pads_end[a - 2] as i64 + end;
        }
    }
    Some((source, pads))
}
