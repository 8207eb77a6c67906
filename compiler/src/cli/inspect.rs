//! `cnnc inspect`: what a model is: inputs, outputs, operators, parameters, memory, target, provenance.

use super::args::{Common, Model};
use super::failure::Failure;
use super::{line, load};
use cnnc_ir::class::Contract;
use cnnc_ir::{Graph, NodeKind, Semantics};
use cnnc_runtime::{Port, Program, Step, StepKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn run(a: &Model, common: &Common) -> Result<(), Failure> {
    let mut fields: Vec<(&str, Value)> = Vec::new();
    if load::is_artefact(&a.model) {
        let model = load::open(&a.model)?;
        program(model.program(), model.weights().len(), &mut fields);
        for (key, value) in model.meta().iter().filter(|(_, v)| !v.contains('\n')) {
            fields.push((
                if key == "producer" {
                    "provenance"
                } else {
                    "compiled for"
                },
                json!(value),
            ));
        }
    } else {
        let source = load::graph(&a.model, &load::shapes(&a.inputs)?, common)?;
        graph(&source, &mut fields);
        let compiled = load::compiled(&a.model, &load::shapes(&a.inputs)?, common)?;
        program(compiled.program(), compiled.weights().len(), &mut fields);
    }
    if common.json {
        let object: serde_json::Map<String, Value> = fields
            .into_iter()
            .map(|(k, v)| (k.replace(' ', "_"), v))
            .collect();
        return line(&Value::Object(object).to_string());
    }
    fields.iter().try_for_each(|(k, v)| match v {
        Value::Array(items) => items
            .iter()
            .try_for_each(|i| line(&format!("{k:14} {}", text(i)))),
        v => line(&format!("{k:14} {}", text(v))),
    })
}

fn text(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
}

/// Operators, parameters and multiply-accumulates of the network as it was written.
fn graph(g: &Graph, fields: &mut Vec<(&str, Value)>) {
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut parameters, mut macs) = (0usize, 0u64);
    for node in g.nodes() {
        match &node.kind {
            NodeKind::Op(op) => {
                *operators.entry(op.kind.def().name).or_default() += 1;
                macs += multiplications(g, node);
            }
            NodeKind::Constant(t) if t.dtype().is_float() => parameters += t.len(),
            _ => {}
        }
    }
    let operators: Vec<String> = operators
        .iter()
        .map(|(name, n)| format!("{n} x {name}"))
        .collect();
    fields.push(("operators", json!(operators.join(", "))));
    fields.push(("parameters", json!(parameters)));
    fields.push(("MACs", json!(macs)));
}

fn multiplications(g: &Graph, node: &cnnc_ir::graph::Node) -> u64 {
    let Ok(Semantics::Contract(contract)) = g.semantics(node.id) else {
        return 0;
    };
    let elements = |i: usize| {
        node.inputs
            .get(i)
            .copied()
            .flatten()
            .and_then(|v| g.ty(v).elements())
            .unwrap_or(0) as u64
    };
    let shape = |i: usize| {
        node.inputs
            .get(i)
            .copied()
            .flatten()
            .and_then(|v| g.ty(v).fixed_shape())
            .unwrap_or_default()
    };
    let results = node.outputs[0].ty.elements().unwrap_or(0) as u64;
    match contract {
        Contract::Conv(_) => {
            results * (elements(1) / shape(1).first().copied().unwrap_or(1).max(1) as u64)
        }
        Contract::ConvTranspose(_) => {
            elements(0) * (elements(1) / shape(1).first().copied().unwrap_or(1).max(1) as u64)
        }
        Contract::MatMul { transpose_a, .. } => {
            let a = shape(0);
            let inner = if transpose_a {
                a.len().checked_sub(2)
            } else {
                a.len().checked_sub(1)
            };
            results * inner.and_then(|i| a.get(i).copied()).unwrap_or(1) as u64
        }
    }
}

fn program(p: &Program, weights: usize, fields: &mut Vec<(&str, Value)>) {
    let port = |port: &Port| {
        let dims: Vec<String> = p
            .upper_dims(&port.operand)
            .iter()
            .zip(&port.operand.dims)
            .map(|(n, d)| match d {
                cnnc_runtime::Extent::Fixed(n) => n.to_string(),
                cnnc_runtime::Extent::Slot(_) => format!("<={n}"),
            })
            .collect();
        json!(format!(
            "{}  {}[{}]",
            port.name,
            port.operand.dtype,
            dims.join(",")
        ))
    };
    let (mut native, mut portable) = (0, BTreeMap::new());
    count(&p.steps, &mut native, &mut portable);
    let portable: Vec<String> = portable
        .iter()
        .map(|(name, n)| format!("{n} x {name}"))
        .collect();
    fields.push(("input", Value::Array(p.inputs.iter().map(port).collect())));
    fields.push(("output", Value::Array(p.outputs.iter().map(port).collect())));
    fields.push(("generated steps", json!(native)));
    fields.push(("portable steps", json!(portable.join(", "))));
    fields.push(("weight bytes", json!(weights)));
    fields.push(("arena bytes", json!(p.arena_bytes)));
    fields.push(("instructions", json!(p.cpu.name())));
}

fn count<'p>(steps: &'p [Step], native: &mut usize, portable: &mut BTreeMap<&'p str, usize>) {
    for step in steps {
        match &step.kind {
            StepKind::Native { .. } => *native += 1,
            StepKind::Portable { kernel, .. } => *portable.entry(kernel.name()).or_default() += 1,
            StepKind::If {
                then_steps,
                else_steps,
                ..
            } => {
                count(then_steps, native, portable);
                count(else_steps, native, portable);
            }
            StepKind::Loop { body, .. } => count(body, native, portable),
        }
    }
}
