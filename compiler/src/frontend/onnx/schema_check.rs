//! The schema check of a node: one table says what is legal, before an operator's own code runs.

use super::problem::shown;
use super::proto::{Attribute, attribute_type as kind};
use super::tensor;
use cnnc_ir::attrs::{AttrKind, AttrValue, Attrs};
use cnnc_ir::schema::{Arity, OpDef, Preset};
use cnnc_ir::{DType, TensorType};
use std::path::Path;

/// Attributes of a node, checked against the schema at that opset.
pub fn attributes(
    def: &OpDef,
    opset: u32,
    given: &[Attribute],
    folder: Option<&Path>,
) -> Result<Attrs, String> {
    let mut attrs = Attrs::new();
    for a in given {
        let name = shown(&a.name);
        if a.name.is_empty() {
            return Err("an attribute has no name".to_string());
        }
        if !a.ref_attr_name.is_empty() {
            return Err(format!(
                "attribute {name} refers to '{}', which is legal only in a function (ref_attr_name)",
                shown(&a.ref_attr_name)
            ));
        }
        let Some(declared) = def
            .attr(&a.name)
            .filter(|d| opset >= d.since && opset <= d.until)
        else {
            return Err(format!(
                "attribute '{name}' is unknown to {} of opset {opset}",
                def.name
            ));
        };
        if attrs.contains_key(&a.name) || given.iter().filter(|b| b.name == a.name).count() > 1 {
            return Err(format!("duplicate attribute {name}"));
        }
        if declared.kind == AttrKind::Graph {
            continue;
        }
        let value = value(a, declared.kind, folder).map_err(|e| format!("attribute {name} {e}"))?;
        attrs.insert(a.name.clone(), value);
    }
    for d in def.attrs {
        let here = opset >= d.since && opset <= d.until;
        if here && matches!(d.default, Preset::Required) && !given.iter().any(|a| a.name == d.name)
        {
            return Err(format!("required attribute {} is missing", d.name));
        }
    }
    Ok(attrs)
}

fn value(a: &Attribute, wanted: AttrKind, folder: Option<&Path>) -> Result<AttrValue, String> {
    let found = if a.kind == 0 { guess(a) } else { a.kind };
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(|_| "is not UTF-8".to_string());
    Ok(match (wanted, found) {
        (AttrKind::Int, kind::INT) => AttrValue::Int(a.i.unwrap_or(0)),
        (AttrKind::Float, kind::FLOAT) => AttrValue::Float(a.f.unwrap_or(0.0).into()),
        (AttrKind::Str, kind::STRING) => AttrValue::Str(text(a.s.as_deref().unwrap_or_default())?),
        (AttrKind::Ints, kind::INTS) => AttrValue::Ints(a.ints.clone()),
        (AttrKind::Floats, kind::FLOATS) => {
            AttrValue::Floats(a.floats.iter().map(|&v| v.into()).collect())
        }
        (AttrKind::Strs, kind::STRINGS) => AttrValue::Strs(
            a.strings
                .iter()
                .map(|s| text(s))
                .collect::<Result<_, _>>()?,
        ),
        (AttrKind::DType, kind::INT) => AttrValue::DType(tensor::dtype(
            i32::try_from(a.i.unwrap_or(0)).unwrap_or(-1),
        )?),
        (AttrKind::Tensor, kind::TENSOR) => AttrValue::Tensor(tensor::tensor(
            a.t.as_ref().ok_or("has no tensor")?,
            folder,
        )?),
        _ => {
            return Err(format!(
                "must be of type {wanted:?}, is of ONNX's attribute type {found}"
            ));
        }
    })
}

/// The type of an attribute of an old file that does not say.
fn guess(a: &Attribute) -> i32 {
    match a {
        Attribute { f: Some(_), .. } => kind::FLOAT,
        Attribute { i: Some(_), .. } => kind::INT,
        Attribute { s: Some(_), .. } => kind::STRING,
        Attribute { t: Some(_), .. } => kind::TENSOR,
        Attribute { g: Some(_), .. } => kind::GRAPH,
        a if !a.floats.is_empty() => kind::FLOATS,
        a if !a.strings.is_empty() => kind::STRINGS,
        _ => kind::INTS,
    }
}

/// The number of inputs and outputs.
pub fn arity(def: &OpDef, opset: u32, inputs: &[bool], outputs: usize) -> Result<(), String> {
    let declared: Vec<_> = def.inputs.iter().filter(|i| i.since <= opset).collect();
    let open = declared
        .last()
        .is_some_and(|i| matches!(i.arity, Arity::Variadic | Arity::Any));
    if inputs.len() > declared.len() && !open {
        return Err(format!(
            "has {} inputs, {} of opset {opset} takes at most {}",
            inputs.len(),
            def.name,
            declared.len()
        ));
    }
    for (i, d) in declared.iter().enumerate() {
        let given = inputs.get(i).copied().unwrap_or(false);
        if !given && matches!(d.arity, Arity::Required | Arity::Variadic) {
            return Err(format!(
                "required input {i} ('{}') of {} is missing",
                d.name, def.name
            ));
        }
    }
    let variadic = def
        .outputs
        .last()
        .is_some_and(|o| o.arity == Arity::Variadic);
    if outputs == 0 {
        return Err(format!(
            "{} has no outputs, at least one is required",
            def.name
        ));
    }
    if outputs > def.outputs.len() && !variadic {
        return Err(format!(
            "has {outputs} outputs, {} has at most {}",
            def.name,
            def.outputs.len()
        ));
    }
    Ok(())
}

/// Element types of the inputs: each type variable stands for one type of its set.
pub fn types(def: &OpDef, inputs: &[Option<&TensorType>]) -> Result<(), String> {
    let mut bound: Vec<(&str, DType, usize)> = Vec::new();
    for (i, ty) in inputs.iter().enumerate() {
        let (Some(ty), Some(d)) = (ty, def.inputs.get(i).or(def.inputs.last())) else {
            continue;
        };
        if d.ty.is_empty() {
            continue;
        }
        if let Some(one) = DType::from_name(d.ty) {
            if ty.dtype != one {
                return Err(format!(
                    "input {i} ('{}') must be {one}, is {}: type mismatch",
                    d.name, ty.dtype
                ));
            }
            continue;
        }
        let set = def
            .types
            .iter()
            .find(|(name, _)| *name == d.ty)
            .map_or(&[][..], |(_, set)| set);
        if !set.contains(&ty.dtype) {
            return Err(format!(
                "input {i} ('{}') must not be of type {}",
                d.name, ty.dtype
            ));
        }
        match bound.iter().find(|(name, ..)| *name == d.ty) {
            Some((_, first, at)) if *first != ty.dtype => {
                return Err(format!(
                    "inputs {at} and {i} must be of one type, are {first} and {}: type mismatch",
                    ty.dtype
                ));
            }
            Some(_) => {}
            None => bound.push((d.ty, ty.dtype, i)),
        }
    }
    Ok(())
}
