//! A layer being called: its arguments by name, and the graph it adds to.

use super::ast::Name;
use super::builder::{Builder, Role};
use super::value::{Fault, Value};
use crate::initializer::Initializer;
use cnnc_ir::graph;
use cnnc_ir::spelling::hint;
use cnnc_ir::types::DType;
use cnnc_ir::{AttrValue, OpKind, Tensor, TensorType};
use std::collections::BTreeMap;

/// An evaluated argument.
pub(super) struct Given {
    pub name: Option<Name>,
    pub at: usize,
    pub value: Value,
}

/// Arguments by the names of their parameters, each with its position.
pub(super) type Bound = BTreeMap<String, (usize, Value)>;

/// Largest whole number an option may have; so products of a few stay in range.
const MOST: i64 = 1 << 31;

/// Brings arguments to the parameters of `callee`: those without a name in order, the others by name.
pub(super) fn bind(callee: &Name, parameters: &[&str], given: Vec<Given>) -> Result<Bound, Fault> {
    let mut bound = Bound::new();
    let mut places = parameters.iter();
    for Given { name, at, value } in given {
        let (at, key) = match name {
            Some(name) if !parameters.contains(&name.text.as_str()) => {
                let hint = hint(&name.text, parameters.iter().copied());
                let known = parameters.join(", ");
                let word = &callee.text;
                let message = format!(
                    "'{word}' has no option '{}'{hint} (known: {known})",
                    name.text
                );
                return Err(Fault::Mistake(name.at, message));
            }
            Some(name) => (name.at, name.text),
            None => match places.next() {
                Some(key) => (at, key.to_string()),
                None => {
                    let message = format!("'{}' takes at most {}", callee.text, parameters.len());
                    return Err(Fault::Mistake(at, format!("{message} arguments")));
                }
            },
        };
        if bound.insert(key.clone(), (at, value)).is_some() {
            return Err(Fault::Mistake(at, format!("'{key}' is given twice")));
        }
    }
    Ok(bound)
}

pub(super) struct Call<'b> {
    pub builder: &'b mut Builder,
    /// The word of the layer and where it is called.
    pub callee: &'b Name,
    /// The layer's path.
    pub title: String,
    pub bound: Bound,
}

impl Call<'_> {
    /// A mistake of the call as a whole.
    pub fn fault(&self, message: impl std::fmt::Display) -> Fault {
        let title = &self.title;
        Fault::Mistake(
            self.callee.at,
            format!("{} '{title}': {message}", self.callee.text),
        )
    }

    // --- arguments ---

    /// What is given for a parameter; `none` counts as not given.
    fn given(&self, name: &str) -> Option<&(usize, Value)> {
        self.bound.get(name).filter(|(_, v)| *v != Value::Absent)
    }

    fn expected<T>(&self, name: &str, what: &str) -> Result<T, Fault> {
        Err(match self.given(name) {
            Some((at, value)) => {
                let found = value.describe();
                Fault::Mistake(*at, format!("expected {name} to be {what}, is {found}"))
            }
            None => {
                let word = &self.callee.text;
                Fault::Mistake(self.callee.at, format!("'{word}' needs {name}, {what}"))
            }
        })
    }

    pub fn tensor(&self, name: &str) -> Result<graph::Value, Fault> {
        match self.given(name) {
            Some((_, Value::Tensor(v))) => Ok(*v),
            _ => self.expected(name, "a tensor"),
        }
    }

    /// A whole number above 0.
    pub fn count(&self, name: &str) -> Result<u64, Fault> {
        match self.given(name) {
            Some((_, Value::Int(n))) if (1..=MOST).contains(n) => Ok(*n as u64),
            _ => self.expected(name, "a whole number above 0"),
        }
    }

    pub fn count_or(&self, name: &str, default: u64) -> Result<u64, Fault> {
        self.given(name).map_or(Ok(default), |_| self.count(name))
    }

    pub fn int_or(&self, name: &str, default: i64) -> Result<i64, Fault> {
        match self.given(name) {
            None => Ok(default),
            Some((_, Value::Int(n))) if (-MOST..=MOST).contains(n) => Ok(*n),
            _ => self.expected(name, "a whole number"),
        }
    }

    pub fn number_or(&self, name: &str, default: f64) -> Result<f64, Fault> {
        match self.given(name) {
            None => Ok(default),
            Some((_, value)) => match value.number() {
                Some(x) => Ok(x),
                None => self.expected(name, "a number"),
            },
        }
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.given(name) {
            None => Ok(default),
            Some((_, Value::Bool(b))) => Ok(*b),
            _ => self.expected(name, "true or false"),
        }
    }

    /// A word out of a list.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Fault> {
        match self.given(name) {
            None => Ok(None),
            Some((_, Value::Word(w))) if words.contains(&w.as_str()) => Ok(Some(w.clone())),
            _ => self.expected(name, &format!("one of {}", words.join(", "))),
        }
    }

    /// Extents of `rank` axes: `3x3`, a list, or one number for all axes.
    pub fn extents(&self, name: &str, rank: usize) -> Result<Option<Vec<u64>>, Fault> {
        let Some((_, value)) = self.given(name) else {
            return Ok(None);
        };
        let extents = match value {
            Value::Int(n) => Some(vec![*n; rank]),
            value => ints(value).filter(|e| e.len() == rank),
        };
        match extents {
            Some(e) if e.iter().all(|n| (1..=MOST).contains(n)) => {
                Ok(Some(e.into_iter().map(|n| n as u64).collect()))
            }
            _ => self.expected(
                name,
                &format!("{rank} extents above 0 such as 3x3, or one for all"),
            ),
        }
    }

    /// Whole numbers: a list, `2x2`, or a number.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Fault> {
        let Some((_, value)) = self.given(name) else {
            return Ok(None);
        };
        match ints(value).filter(|e| e.iter().all(|n| (-MOST..=MOST).contains(n))) {
            Some(values) => Ok(Some(values)),
            None => self.expected(name, "whole numbers"),
        }
    }

    /// Whether the argument is that word.
    pub fn is_word(&self, name: &str, word: &str) -> bool {
        matches!(self.given(name), Some((_, Value::Word(w))) if w == word)
    }

    /// An initialiser for a parameter with these fans.
    pub fn initializer(
        &self,
        name: &str,
        default: &str,
        [fan_in, fan_out]: [u64; 2],
    ) -> Result<Initializer, Fault> {
        let (at, text) = match self.given(name) {
            None => (self.callee.at, default),
            Some((at, Value::Word(text))) => (*at, text.as_str()),
            _ => return self.expected(name, "an initialiser such as he_normal"),
        };
        Initializer::parse(text, fan_in as f64, fan_out as f64)
            .map_err(|e| Fault::Mistake(at, e.to_string()))
    }

    // --- the graph ---

    pub fn ty(&self, v: graph::Value) -> &TensorType {
        self.builder.graph.ty(v)
    }

    /// Extent of an axis, which must be known.
    pub fn extent(&self, v: graph::Value, axis: usize) -> Result<u64, Fault> {
        let dim = self.ty(v).shape.get(axis).and_then(|d| d.fixed());
        dim.ok_or_else(|| {
            self.fault(format!(
                "axis {axis} of its operand, {}, must be there and known",
                self.ty(v)
            ))
        })
    }

    /// A parameter of the layer.
    pub fn parameter(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[u64],
        initializer: Initializer,
        role: Role,
    ) -> Result<graph::Value, Fault> {
        let name = format!("{}.{name}", self.title);
        self.builder
            .parameter(&name, dtype, shape, &initializer, role)
            .map_err(|message| self.fault(message))
    }

    pub fn constant(&mut self, tensor: Tensor) -> graph::Value {
        let name = format!("{}.constant", self.title);
        self.builder.graph.add_constant(&name, tensor)
    }

    /// A scalar of the type of `like`.
    pub fn scalar(&mut self, like: graph::Value, value: f64) -> graph::Value {
        let dtype = self.ty(like).dtype;
        self.constant(Tensor::scalar_f64(dtype, value))
    }

    /// An operator with one output.
    pub fn op<const N: usize>(
        &mut self,
        kind: OpKind,
        inputs: &[graph::Value],
        attrs: [(&str, AttrValue); N],
    ) -> Result<graph::Value, Fault> {
        let inputs = inputs.iter().copied().map(Some).collect();
        let outputs = self.multi(kind, inputs, attrs, 1)?;
        outputs.first().copied().ok_or(Fault::Consequence)
    }

    /// An operator with optional operands and several outputs.
    pub fn multi<const N: usize>(
        &mut self,
        kind: OpKind,
        inputs: Vec<Option<graph::Value>>,
        attrs: [(&str, AttrValue); N],
        outputs: usize,
    ) -> Result<Vec<graph::Value>, Fault> {
        let attrs = attrs.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        let name = format!("{}.{}", self.title, kind.module());
        let names = vec![name.as_str(); outputs];
        self.builder
            .operator(kind, inputs, attrs, &names, &self.title)
            .map_err(|message| self.fault(message))
    }

    /// The same elements under another shape; 0 copies an extent, -1 is what is left.
    pub fn reshape(&mut self, x: graph::Value, shape: &[i64]) -> Result<graph::Value, Fault> {
        let shape = self.constant(Tensor::ints(shape));
        self.op(OpKind::Reshape, &[x, shape], [])
    }
}

/// The whole numbers in a value.
fn ints(value: &Value) -> Option<Vec<i64>> {
    match value {
        Value::Int(n) => Some(vec![*n]),
        Value::Size(extents) => extents.iter().map(|&n| i64::try_from(n).ok()).collect(),
        Value::List(values) => {
            let one = |v: &Value| match v {
                Value::Int(n) => Some(*n),
                _ => None,
            };
            values.iter().map(one).collect()
        }
        _ => None,
    }
}
