//! The escape hatch: any operator by its ONNX name. Arguments without a name are operands (tensors, `none`, numbers as scalars of the
//! first tensor's type, lists of whole numbers), those with a name are attributes.

use super::ast::Name;
use super::builder::Builder;
use super::call::Given;
use super::value::{Fault, Value};
use cnnc_ir::attrs::AttrKind;
use cnnc_ir::spelling::hint;
use cnnc_ir::{AttrValue, Attrs, DType, OpKind, Tensor};

pub(super) fn call(
    builder: &mut Builder,
    callee: &Name,
    title: &str,
    kind: OpKind,
    given: Vec<Given>,
    results: usize,
) -> Result<Value, Fault> {
    let tensor = given.iter().find_map(|g| match g.value {
        Value::Tensor(v) => Some(builder.graph.ty(v).dtype),
        _ => None,
    });
    let dtype = tensor.unwrap_or(DType::F32);
    let (mut operands, mut attrs) = (Vec::new(), Attrs::new());
    for Given { name, at, value } in given {
        match name {
            Some(name) => {
                attrs.insert(name.text.clone(), attribute(kind, &name, &value)?);
            }
            None => {
                let constant = match &value {
                    Value::Tensor(v) => {
                        operands.push(Some(*v));
                        continue;
                    }
                    Value::Absent => {
                        operands.push(None);
                        continue;
                    }
                    other => constant(other, dtype),
                };
                let Some(constant) = constant else {
                    let message = format!("{} is no operand", value.describe());
                    return Err(Fault::Mistake(at, message));
                };
                operands.push(Some(builder.graph.add_constant("", constant)));
            }
        }
    }
    let name = format!("{title}.{}", kind.module());
    let names = vec![name.as_str(); results];
    let outputs = builder
        .operator(kind, operands, attrs, &names, title)
        .map_err(|message| Fault::Mistake(callee.at, message))?;
    Ok(match outputs[..] {
        [one] => Value::Tensor(one),
        _ => Value::List(outputs.into_iter().map(Value::Tensor).collect()),
    })
}

/// A number, or a list of whole numbers, as an operand.
fn constant(value: &Value, dtype: DType) -> Option<Tensor> {
    match value {
        Value::List(items) => ints(items).map(|ints| Tensor::ints(&ints)),
        value => value.number().map(|x| Tensor::scalar_f64(dtype, x)),
    }
}

fn ints(items: &[Value]) -> Option<Vec<i64>> {
    let one = |v: &Value| match v {
        Value::Int(n) => Some(*n),
        _ => None,
    };
    items.iter().map(one).collect()
}

/// A value as the kind of attribute that the operator declares.
fn attribute(kind: OpKind, name: &Name, value: &Value) -> Result<AttrValue, Fault> {
    let def = kind.def();
    let Some(attr) = def.attr(&name.text) else {
        let hint = hint(&name.text, def.attrs.iter().map(|a| a.name));
        let message = format!("{} has no attribute '{}'{hint}", def.name, name.text);
        return Err(Fault::Mistake(name.at, message));
    };
    let found = match (attr.kind, value) {
        (AttrKind::Int, Value::Int(n)) => Some(AttrValue::Int(*n)),
        (AttrKind::Int, Value::Bool(b)) => Some(AttrValue::Int((*b).into())),
        (AttrKind::Float, value) => value.number().map(AttrValue::Float),
        (AttrKind::Str, Value::Str(s) | Value::Word(s)) => Some(AttrValue::Str(s.clone())),
        (AttrKind::DType, Value::Str(s)) => DType::from_name(s).map(AttrValue::DType),
        (AttrKind::Ints, Value::List(items)) => ints(items).map(AttrValue::Ints),
        (AttrKind::Floats, Value::List(items)) => {
            let numbers: Option<Vec<f64>> = items.iter().map(Value::number).collect();
            numbers.map(AttrValue::Floats)
        }
        _ => None,
    };
    found.ok_or_else(|| {
        let kind = cnnc_ir::schema::check::kind_name(attr.kind);
        let found = value.describe();
        let message = format!("attribute '{}' must be {kind}, is {found}", name.text);
        Fault::Mistake(name.at, message)
    })
}
