//! Nodes of older opsets on their way to the newest form: what an operator's adapter and the versions of its attributes say becomes
//! constants and nodes of the graph.

use cnnc_ir::schema::{Adapt, AdaptInput, OpDef, TypeError};
use cnnc_ir::{AttrValue, Attrs, DType, Graph, OpKind, Tensor, Value};

/// Brings a node to the newest form; returns the operator that takes its place, if another does.
pub fn adapt(
    def: &'static OpDef,
    opset: u32,
    attrs: &mut Attrs,
    operands: &mut Vec<Option<Value>>,
    graph: &mut Graph,
) -> Result<Option<&'static str>, TypeError> {
    let mut inputs = given(operands, graph);
    let dtype = operands
        .first()
        .copied()
        .flatten()
        .map(|v| graph.ty(v).dtype);
    let mut change = Adapt {
        def,
        opset,
        attrs,
        inputs: &mut inputs,
        rename: None,
    };
    if let Some(f) = def.adapt {
        f(&mut change)?;
    }
    for a in def.attrs.iter().filter(|a| opset <= a.until) {
        let Some(slot) = a.becomes_input else {
            continue;
        };
        if let Some(value) = change.attrs.remove(a.name) {
            change.set_input(slot, as_tensor(value, dtype));
        }
    }
    let rename = change.rename;
    // What only old opsets declare has been understood by now.
    attrs.retain(|name, _| {
        rename.is_some()
            || def
                .attr(name)
                .is_none_or(|a| a.until == u32::MAX || a.becomes_input.is_none())
    });
    *operands = inputs
        .into_iter()
        .map(|input| match input {
            AdaptInput::Absent => Ok(None),
            AdaptInput::Given { index, .. } => Ok(operands[index]),
            AdaptInput::Unsqueezed { index, axes } => operands[index]
                .map(|v| unsqueeze(graph, v, &axes))
                .transpose(),
            AdaptInput::Constant(t) => Ok(Some(graph.add_constant("", t))),
        })
        .collect::<Result<_, TypeError>>()?;
    Ok(rename)
}

/// Operands as adapters see them.
fn given(operands: &[Option<Value>], graph: &Graph) -> Vec<AdaptInput> {
    let input = |(index, v): (usize, &Option<Value>)| match v {
        None => AdaptInput::Absent,
        Some(v) => AdaptInput::Given {
            index,
            ty: graph.ty(*v).clone(),
            value: graph.constant(*v).cloned(),
        },
    };
    operands.iter().enumerate().map(input).collect()
}

/// The value with new axes of extent 1.
pub fn unsqueeze(graph: &mut Graph, v: Value, axes: &[i64]) -> Result<Value, TypeError> {
    let axes = graph.add_constant("", Tensor::ints(axes));
    graph.op(OpKind::Unsqueeze, &[v, axes], Attrs::new())
}

/// An attribute as the constant input it has become.
fn as_tensor(value: AttrValue, dtype: Option<DType>) -> Tensor {
    match value {
        AttrValue::Ints(v) => Tensor::ints(&v),
        AttrValue::Int(v) => Tensor::scalar_i64(DType::I64, v),
        AttrValue::Float(v) => Tensor::scalar_f64(dtype.unwrap_or(DType::F32), v),
        AttrValue::Floats(v) => Tensor::from_f64(DType::F32, &[v.len()], &v),
        AttrValue::Tensor(t) => t,
        _ => Tensor::ints(&[]),
    }
}
