//! Attributes of an operator: a sorted map of neutral values, under ONNX's names.

use crate::expr::ScalarExpr;
use crate::tensor::Tensor;
use crate::types::DType;
use std::collections::BTreeMap;

/// The value of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    Int(i64),
    Float(f64),
    Str(String),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Strs(Vec<String>),
    DType(DType),
    Tensor(Tensor),
    Expr(ScalarExpr),
}

impl AttrValue {
    /// The kind's name in messages.
    pub fn kind(&self) -> AttrKind {
        match self {
            AttrValue::Int(_) => AttrKind::Int,
            AttrValue::Float(_) => AttrKind::Float,
            AttrValue::Str(_) => AttrKind::Str,
            AttrValue::Ints(_) => AttrKind::Ints,
            AttrValue::Floats(_) => AttrKind::Floats,
            AttrValue::Strs(_) => AttrKind::Strs,
            AttrValue::DType(_) => AttrKind::DType,
            AttrValue::Tensor(_) => AttrKind::Tensor,
            AttrValue::Expr(_) => AttrKind::Expr,
        }
    }
}

/// The type of an attribute, as schemas declare it. `DType` is an ONNX integer holding a `TensorProto.DataType`; `Graph`
/// attributes become bodies of the operator, in the order they are declared in; one left out before a given one is an empty graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrKind {
    Int,
    Float,
    Str,
    Ints,
    Floats,
    Strs,
    DType,
    Tensor,
    Expr,
    Graph,
}

/// Attributes that were given; what is absent has its schema's default.
pub type Attrs = BTreeMap<String, AttrValue>;
