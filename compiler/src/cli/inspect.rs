//! `cnnc inspect`: what a model is: inputs, outputs, operators, parameters, memory, target, provenance.

use super::args::{Common, Look};
use super::failure::Failure;
use super::{line, load, step};
use cnnc_runtime::{Model, Port, Program, Step, StepKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

pub fn run(a: &Look, common: &Common) -> Result<(), Failure> {
    let mut fields: Vec<(&str, Value)> = Vec::new();
    let (path, options) = (&a.model.model, load::shapes(&a.model.inputs)?);
    let plan = if load::is_artefact(path) && !a.step.train {
        let model = load::open_for(path, &options, common)?;
        for key in ["operators", "parameters", "MACs"] {
            fields.push((key, number_or_text(load::meta(&model, key))));
        }
        for key in ["loss", "optimizer", "batch", "rate"] {
            let value = load::meta(&model, key);
            if !value.is_empty() {
                fields.push((key, number_or_text(value)));
            }
        }
        program(model.program(), model.weights().len(), &mut fields);
        fields.push(("section", sections(path)?));
        load::meta(&model, "plan").to_string()
    } else {
        let compiled = match a.step.train {
            true => step::compiled(&a.step, path, common)?.compiled,
            false => load::compiled(path, &options, common)?,
        };
        for (key, value) in compiled.statistics.fields() {
            fields.push((key, number_or_text(&value)));
        }
        program(compiled.program(), compiled.weights().len(), &mut fields);
        compiled.plan
    };
    let plan: Vec<&str> = plan.lines().collect();
    fields.push(("memory plan", json!(plan)));
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
            .try_for_each(|i| line(&format!("{k:16} {}", text(i)))),
        v => line(&format!("{k:16} {}", text(v))),
    })
}

fn number_or_text(value: &str) -> Value {
    value
        .parse::<u64>()
        .map_or_else(|_| json!(value), |n| json!(n))
}

fn sections(path: &Path) -> Result<Value, Failure> {
    let sections = Model::sections(path).map_err(|e| load::refused(path, e))?;
    let described = sections.into_iter().map(|(kind, at)| {
        json!(format!(
            "{kind:8} {} bytes at {:#x}",
            at.end - at.start,
            at.start
        ))
    });
    Ok(described.collect())
}

fn text(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
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
    if !p.states.is_empty() {
        let state = |(number, state): (usize, &Port)| {
            let mut initials = p.initials.iter();
            let is_given = initials.any(|initial| initial.state as usize == number);
            let first = if is_given { "in the weights" } else { "zeros" };
            json!(format!("{}, first {first}", text(&port(state))))
        };
        let states = p.states.iter().enumerate().map(state);
        fields.push(("state", states.collect()));
    }
    fields.push(("generated steps", json!(native)));
    fields.push(("portable steps", json!(portable.join(", "))));
    fields.push(("weight bytes", json!(weights)));
    fields.push(("arena bytes", json!(p.arena_bytes)));
    fields.push(("target", json!(p.cpu.name())));
    fields.push(("provenance", json!(p.producer)));
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
