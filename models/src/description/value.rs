//! What expressions of a description are worth while it is expanded: tensors of the graph, and plain data.

use super::ast::Binary;
use cnnc_ir::graph;

/// Why an expression has no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// A mistake: byte offset and message.
    Mistake(usize, String),
    /// It uses something that was reported already.
    Consequence,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Tensor(graph::Value),
    Int(i64),
    Float(f64),
    Bool(bool),
    Size(Vec<u64>),
    Str(String),
    /// A word of the language, such as `relu` or `same`, options behind a colon: `normal:std=0.01`.
    Word(String),
    List(Vec<Value>),
    /// `none`: an operand left out.
    Absent,
    /// What a mistake left behind.
    Spoilt,
}

impl Value {
    /// What messages call it.
    pub fn describe(&self) -> String {
        match self {
            Value::Tensor(_) => "a tensor".into(),
            Value::Int(n) => n.to_string(),
            Value::Float(x) => format!("{x:?}"),
            Value::Bool(b) => b.to_string(),
            Value::Size(extents) => {
                let extents: Vec<String> = extents.iter().map(u64::to_string).collect();
                extents.join("x")
            }
            Value::Str(text) => format!("\"{text}\""),
            Value::Word(word) => format!("'{word}'"),
            Value::List(_) => "a list".into(),
            Value::Absent => "none".into(),
            Value::Spoilt => "an unknown value".into(),
        }
    }

    /// Whether no part of it belongs to a graph.
    pub fn is_plain(&self) -> bool {
        match self {
            Value::Tensor(_) | Value::Spoilt => false,
            Value::List(values) => values.iter().all(Value::is_plain),
            _ => true,
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// A list's elements; of anything else, itself.
    pub fn into_list(self) -> Vec<Value> {
        match self {
            Value::List(values) => values,
            value => vec![value],
        }
    }
}

/// An operator on plain data; `None` where it has no meaning there or the result is out of range.
pub(super) fn binary(operator: Binary, left: &Value, right: &Value) -> Option<Value> {
    use Binary::*;
    if let (Value::Bool(a), Value::Bool(b)) = (left, right) {
        return Some(Value::Bool(match operator {
            And => *a && *b,
            Or => *a || *b,
            Equal => a == b,
            Unequal => a != b,
            _ => return None,
        }));
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return match operator {
            Equal => Some(Value::Bool(left == right)),
            Unequal => Some(Value::Bool(left != right)),
            _ => None,
        };
    };
    let order = match operator {
        Equal => Some(a == b),
        Unequal => Some(a != b),
        Less => Some(a < b),
        LessOrEqual => Some(a <= b),
        Greater => Some(a > b),
        GreaterOrEqual => Some(a >= b),
        _ => None,
    };
    match (order, left, right) {
        (Some(is_so), _, _) => Some(Value::Bool(is_so)),
        (None, Value::Int(a), Value::Int(b)) => whole(operator, *a, *b),
        (None, _, _) => Some(Value::Float(match operator {
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            _ => return None,
        })),
    }
}

/// Arithmetic on whole numbers; a quotient that is not whole is a fraction.
fn whole(operator: Binary, a: i64, b: i64) -> Option<Value> {
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div if a.checked_rem(b)? != 0 => return Some(Value::Float(a as f64 / b as f64)),
        Binary::Div => a.checked_div(b),
        _ => None,
    };
    result.map(Value::Int)
}
