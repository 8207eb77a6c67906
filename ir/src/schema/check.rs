//! A node against its operator's declaration: arity, attributes, element types. What only `infer` can know is left to it.
//!
//! Every error is reported, not only the first, and names the attribute, input or type variable.

use super::{Arity, Attr, Input, OpDef, Preset};
use crate::attrs::{AttrKind, Attrs};
use crate::spelling::hint;
use crate::types::{DType, TensorType};
use thiserror::Error;

/// How a node breaks its operator's declaration.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SchemaError {
    #[error("{op} is an operator of opsets {since} to {until}, the model's opset is {opset}")]
    NotInOpset {
        op: &'static str,
        since: u32,
        until: u32,
        opset: u32,
    },
    #[error("{op}: required input {index} ('{name}') is missing")]
    MissingInput {
        op: &'static str,
        index: usize,
        name: &'static str,
    },
    #[error("{op}: takes at most {most} inputs{at}, {found} are given", at = in_opset(*.opset))]
    TooManyInputs {
        op: &'static str,
        most: usize,
        found: usize,
        opset: Option<u32>,
    },
    #[error("{op}: outputs must be {expected}, {found} are asked for")]
    Outputs {
        op: &'static str,
        expected: String,
        found: usize,
    },
    #[error("{op}: has no attribute '{attribute}'{hint}")]
    UnknownAttribute {
        op: &'static str,
        attribute: String,
        hint: String,
    },
    #[error(
        "{op}: attribute '{attribute}' belongs to opsets {since} to {until}, the model's opset is {opset}"
    )]
    AttributeVersion {
        op: &'static str,
        attribute: &'static str,
        since: u32,
        until: u32,
        opset: u32,
    },
    #[error("{op}: attribute '{attribute}' must be {expected}, is {found}", expected = kind_name(*.expected), found = kind_name(*.found))]
    AttributeKind {
        op: &'static str,
        attribute: &'static str,
        expected: AttrKind,
        found: AttrKind,
    },
    #[error("{op}: required attribute '{attribute}' is missing")]
    MissingAttribute {
        op: &'static str,
        attribute: &'static str,
    },
    #[error("{op}: needs {expected} bodies, has {found}")]
    Bodies {
        op: &'static str,
        expected: usize,
        found: usize,
    },
    #[error("{op}: input {index} ('{name}') must be {expected}, is {found}")]
    ElementType {
        op: &'static str,
        index: usize,
        name: &'static str,
        expected: String,
        found: DType,
    },
    #[error(
        "{op}: inputs '{first}' and '{second}' must have one element type ({variable}), are {expected} and {found}"
    )]
    TypeVariable {
        op: &'static str,
        variable: &'static str,
        first: &'static str,
        second: &'static str,
        expected: DType,
        found: DType,
    },
}

/// What is checked: a node as a file or a graph states it.
pub struct Candidate<'a> {
    pub def: &'static OpDef,
    /// The opset of the operator's domain; `None` for graphs of our own, which may use any form.
    pub opset: Option<u32>,
    pub attrs: &'a Attrs,
    pub inputs: &'a [Option<&'a TensorType>],
    pub outputs: usize,
    pub bodies: usize,
}

impl Candidate<'_> {
    /// Every way in which the node breaks the declaration; empty where it keeps it.
    pub fn check(&self) -> Vec<SchemaError> {
        let mut errors = Vec::new();
        let def = self.def;
        if let Some(opset) = self.opset.filter(|o| !(def.since..=def.until).contains(o)) {
            errors.push(SchemaError::NotInOpset {
                op: def.name,
                since: def.since,
                until: def.until,
                opset,
            });
        }
        self.check_arity(&mut errors);
        self.check_attributes(&mut errors);
        self.check_types(&mut errors);
        errors
    }

    fn exists(&self, since: u32, until: u32) -> bool {
        self.opset.is_none_or(|o| (since..=until).contains(&o))
    }

    fn check_arity(&self, errors: &mut Vec<SchemaError>) {
        let op = self.def.name;
        let declared: Vec<&Input> = self
            .def
            .inputs
            .iter()
            .filter(|i| self.exists(i.since, u32::MAX))
            .collect();
        for (index, input) in declared.iter().enumerate() {
            let required = matches!(input.arity, Arity::Required | Arity::Variadic);
            if required && self.inputs.get(index).is_none_or(Option::is_none) {
                errors.push(SchemaError::MissingInput {
                    op,
                    index,
                    name: input.name,
                });
            }
        }
        let open = |arity: Option<Arity>| matches!(arity, Some(Arity::Variadic | Arity::Any));
        let (most, found) = (declared.len(), self.inputs.len());
        if found > most && !open(declared.last().map(|i| i.arity)) {
            errors.push(SchemaError::TooManyInputs {
                op,
                most,
                found,
                opset: self.opset,
            });
        }
        let outputs = self.def.outputs;
        let least = outputs
            .iter()
            .filter(|o| o.arity == Arity::Required)
            .count();
        let variadic = open(outputs.last().map(|o| o.arity));
        let most = if variadic { usize::MAX } else { outputs.len() };
        if !(least..=most).contains(&self.outputs) {
            let expected = match (variadic, least == most) {
                (true, _) => format!("{least} or more"),
                (false, true) => least.to_string(),
                (false, false) => format!("{least} to {most}"),
            };
            errors.push(SchemaError::Outputs {
                op,
                expected,
                found: self.outputs,
            });
        }
    }

    fn check_attributes(&self, errors: &mut Vec<SchemaError>) {
        let op = self.def.name;
        for (name, value) in self.attrs {
            let Some(attr) = self.def.attr(name) else {
                let hint = hint(name, self.def.attrs.iter().map(|a| a.name));
                errors.push(SchemaError::UnknownAttribute {
                    op,
                    attribute: name.clone(),
                    hint,
                });
                continue;
            };
            let Attr {
                name: attribute,
                since,
                until,
                ..
            } = *attr;
            if let Some(opset) = self.opset.filter(|_| !self.exists(since, until)) {
                errors.push(SchemaError::AttributeVersion {
                    op,
                    attribute,
                    since,
                    until,
                    opset,
                });
            }
            if value.kind() != attr.kind {
                errors.push(SchemaError::AttributeKind {
                    op,
                    attribute,
                    expected: attr.kind,
                    found: value.kind(),
                });
            }
        }
        let present = |a: &&Attr| self.exists(a.since, a.until) && a.kind != AttrKind::Graph;
        for attr in self.def.attrs.iter().filter(present) {
            let replaced = self.opset.is_none() && attr.until < u32::MAX;
            if matches!(attr.default, Preset::Required)
                && !replaced
                && !self.attrs.contains_key(attr.name)
            {
                errors.push(SchemaError::MissingAttribute {
                    op,
                    attribute: attr.name,
                });
            }
        }
        let expected = self
            .def
            .attrs
            .iter()
            .filter(|a| a.kind == AttrKind::Graph)
            .count();
        if expected != self.bodies {
            errors.push(SchemaError::Bodies {
                op,
                expected,
                found: self.bodies,
            });
        }
    }

    fn check_types(&self, errors: &mut Vec<SchemaError>) {
        let op = self.def.name;
        // The first input that settled each type variable.
        let mut settled: Vec<(&'static str, &'static str, DType)> = Vec::new();
        for (index, ty) in self.inputs.iter().enumerate() {
            let (Some(ty), Some(input)) = (ty, self.declared(index)) else {
                continue;
            };
            let found = ty.dtype;
            let allowed = self
                .def
                .types
                .iter()
                .find(|(v, _)| *v == input.ty)
                .map(|(_, set)| *set);
            let one = DType::from_name(input.ty);
            let fits = match (allowed, one) {
                (Some(set), _) => set.contains(&found),
                (None, Some(dtype)) => dtype == found,
                (None, None) => true,
            };
            if !fits {
                let expected = allowed.map_or_else(|| input.ty.to_string(), one_of);
                errors.push(SchemaError::ElementType {
                    op,
                    index,
                    name: input.name,
                    expected,
                    found,
                });
                continue;
            }
            if allowed.is_none() || input.arity == Arity::Any {
                continue;
            }
            match settled.iter().find(|(v, ..)| *v == input.ty) {
                Some(&(variable, first, expected)) if expected != found => {
                    errors.push(SchemaError::TypeVariable {
                        op,
                        variable,
                        first,
                        second: input.name,
                        expected,
                        found,
                    });
                }
                Some(_) => {}
                None => settled.push((input.ty, input.name, found)),
            }
        }
    }

    /// The declaration of input `index`; the last one stands for all that a variadic operator takes.
    fn declared(&self, index: usize) -> Option<&'static Input> {
        let last = self.def.inputs.last()?;
        let open = matches!(last.arity, Arity::Variadic | Arity::Any);
        self.def.inputs.get(index).or(open.then_some(last))
    }
}

fn in_opset(opset: Option<u32>) -> String {
    opset.map_or(String::new(), |o| format!(" in opset {o}"))
}

fn one_of(set: &[DType]) -> String {
    let names: Vec<&str> = set.iter().map(|d| d.name()).collect();
    format!("one of {}", names.join(", "))
}

/// What messages call a kind of attribute.
pub fn kind_name(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Int => "an integer",
        AttrKind::Float => "a float",
        AttrKind::Str => "a string",
        AttrKind::Ints => "a list of integers",
        AttrKind::Floats => "a list of floats",
        AttrKind::Strs => "a list of strings",
        AttrKind::DType => "an element type",
        AttrKind::Tensor => "a tensor",
        AttrKind::Expr => "an expression",
        AttrKind::Graph => "a graph",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::AttrValue;
    use crate::ops::OpKind;

    fn check(
        kind: OpKind,
        opset: u32,
        attrs: &[(&str, AttrValue)],
        inputs: &[Option<TensorType>],
        outputs: usize,
    ) -> String {
        let attrs: Attrs = attrs
            .iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect();
        let inputs: Vec<Option<&TensorType>> = inputs.iter().map(Option::as_ref).collect();
        let candidate = Candidate {
            def: kind.def(),
            opset: Some(opset),
            attrs: &attrs,
            inputs: &inputs,
            outputs,
            bodies: 0,
        };
        let errors: Vec<String> = candidate
            .check()
            .iter()
            .map(SchemaError::to_string)
            .collect();
        errors.join("\n")
    }

    fn ty(dtype: DType) -> Option<TensorType> {
        Some(TensorType::new(dtype, [2usize, 3]))
    }

    #[test]
    fn every_fault_is_named() {
        let attrs = [("stride", AttrValue::Int(2)), ("pads", AttrValue::Int(1))];
        insta::assert_snapshot!(check(OpKind::Conv, 11, &attrs, &[ty(DType::F32), None], 2), @r#"
        Conv: required input 1 ('W') is missing
        Conv: outputs must be 1, 2 are asked for
        Conv: attribute 'pads' must be a list of integers, is an integer
        Conv: has no attribute 'stride'; did you mean 'strides'?
        "#);
        insta::assert_snapshot!(check(OpKind::Add, 14, &[], &[ty(DType::F32), ty(DType::I32), ty(DType::F32)], 1), @r#"
        Add: takes at most 2 inputs in opset 14, 3 are given
        Add: inputs 'A' and 'B' must have one element type (T), are f32 and i32
        "#);
        insta::assert_snapshot!(check(OpKind::TopK, 11, &[("k", AttrValue::Int(2))], &[ty(DType::Bool), ty(DType::I32)], 2), @r#"
        TopK: attribute 'k' belongs to opsets 1 to 9, the model's opset is 11
        TopK: input 0 ('X') must be one of f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, is bool
        TopK: input 1 ('K') must be i64, is i32
        "#);
        insta::assert_snapshot!(check(OpKind::Scatter, 13, &[], &[ty(DType::F32), ty(DType::I64), ty(DType::F32)], 1), @"Scatter is an operator of opsets 9 to 10, the model's opset is 13");
    }

    #[test]
    fn old_forms_are_checked_against_their_opset() {
        assert_eq!(
            check(
                OpKind::TopK,
                9,
                &[("k", AttrValue::Int(2))],
                &[ty(DType::F32)],
                2
            ),
            ""
        );
        assert_eq!(
            check(
                OpKind::Concat,
                13,
                &[("axis", AttrValue::Int(0))],
                &[ty(DType::F32), ty(DType::F32)],
                1
            ),
            ""
        );
    }
}
