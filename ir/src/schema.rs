//! What an operator declares about itself: arity, element types, attributes with their versions, and the functions that infer
//! types and give meaning. The one table that importer, text form, verifier and compiler check against.

pub mod check;

use crate::attrs::{AttrKind, AttrValue, Attrs};
use crate::class::Semantics;
use crate::graph::Graph;
use crate::tensor::Tensor;
use crate::types::{DType, Dim, MAX_BYTES, TensorType, broadcast};
use thiserror::Error;

/// The newest opset of the standard domain that the schemas describe.
pub const NEWEST_OPSET: u32 = 28;

/// The definition of one operator. See `ops/` for examples; [`OpDef::NEW`] holds the defaults.
pub struct OpDef {
    /// ONNX's name (`Conv`), or ours for the operators of domain [`CNNC`].
    pub name: &'static str,
    /// `""` for ai.onnx.
    pub domain: &'static str,
    /// First opset that has the operator.
    pub since: u32,
    /// Last opset that has it, for deprecated ones (`Upsample`: 9).
    pub until: u32,
    pub inputs: &'static [Input],
    pub outputs: &'static [Output],
    /// Element types that each type variable (`"T"`) may stand for; all operands naming the variable must agree.
    pub types: &'static [(&'static str, &'static [DType])],
    pub attrs: &'static [Attr],
    /// Types of the outputs from types (and constant values) of the inputs.
    pub infer: fn(&Cx) -> Result<Vec<TensorType>, TypeError>,
    /// Meaning, by class. Called only after `infer` succeeded.
    pub semantics: fn(&Cx) -> Result<Semantics, TypeError>,
    /// Brings attributes and inputs of an older opset to the newest form; runs before `infer`, after the schema check.
    pub adapt: Option<Adapter>,
}

/// Domain of the operators that passes introduce; no ONNX file may name it.
pub const CNNC: &str = "cnnc";

impl OpDef {
    /// Defaults for struct update syntax: standard domain, since opset 1, no attributes.
    pub const NEW: OpDef = OpDef {
        name: "",
        domain: "",
        since: 1,
        until: u32::MAX,
        inputs: &[],
        outputs: &[Output::new("Y", "T")],
        types: &[],
        attrs: &[],
        infer: |cx| cx.same_as(0),
        semantics: |cx| Err(cx.error("has no meaning of its own")),
        adapt: None,
    };

    pub fn attr(&self, name: &str) -> Option<&'static Attr> {
        self.attrs.iter().find(|a| a.name == name)
    }
}

/// A declared input. The last one may be variadic; trailing optional ones may be left out.
pub struct Input {
    pub name: &'static str,
    /// A type variable of [`OpDef::types`], or the name of one element type (`"i64"`), or `""` for any.
    pub ty: &'static str,
    pub arity: Arity,
    /// First opset that has this input.
    pub since: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    Required,
    Optional,
    /// One or more, only for the last input; all of one type variable.
    Variadic,
    /// Zero or more of any types (captured values of a body).
    Any,
}

impl Input {
    pub const fn new(name: &'static str, ty: &'static str) -> Input {
        Input {
            name,
            ty,
            arity: Arity::Required,
            since: 1,
        }
    }
    pub const fn optional(self) -> Input {
        Input {
            arity: Arity::Optional,
            ..self
        }
    }
    pub const fn variadic(self) -> Input {
        Input {
            arity: Arity::Variadic,
            ..self
        }
    }
    pub const fn any(self) -> Input {
        Input {
            arity: Arity::Any,
            ..self
        }
    }
    pub const fn since(self, since: u32) -> Input {
        Input { since, ..self }
    }
}

/// A declared output.
pub struct Output {
    pub name: &'static str,
    pub ty: &'static str,
    pub arity: Arity,
}

impl Output {
    pub const fn new(name: &'static str, ty: &'static str) -> Output {
        Output {
            name,
            ty,
            arity: Arity::Required,
        }
    }
    pub const fn optional(self) -> Output {
        Output {
            arity: Arity::Optional,
            ..self
        }
    }
    pub const fn variadic(self) -> Output {
        Output {
            arity: Arity::Variadic,
            ..self
        }
    }
}

/// A declared attribute.
pub struct Attr {
    pub name: &'static str,
    pub kind: AttrKind,
    pub default: Preset,
    pub since: u32,
    pub until: u32,
    /// From the opset after `until` on, this attribute is the input of that number: the importer makes a constant of it.
    pub becomes_input: Option<usize>,
}

/// What an attribute is when it is not given.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    Required,
    /// Absent is a state of its own.
    Absent,
    Int(i64),
    Float(f64),
    Str(&'static str),
    Ints(&'static [i64]),
    Floats(&'static [f64]),
    Strs(&'static [&'static str]),
    DType(DType),
}

impl Attr {
    pub const fn new(name: &'static str, kind: AttrKind, default: Preset) -> Attr {
        Attr {
            name,
            kind,
            default,
            since: 1,
            until: u32::MAX,
            becomes_input: None,
        }
    }
    pub const fn int(name: &'static str, default: i64) -> Attr {
        Attr::new(name, AttrKind::Int, Preset::Int(default))
    }
    pub const fn float(name: &'static str, default: f64) -> Attr {
        Attr::new(name, AttrKind::Float, Preset::Float(default))
    }
    pub const fn str(name: &'static str, default: &'static str) -> Attr {
        Attr::new(name, AttrKind::Str, Preset::Str(default))
    }
    /// A list of integers that may be absent.
    pub const fn ints(name: &'static str) -> Attr {
        Attr::new(name, AttrKind::Ints, Preset::Absent)
    }
    pub const fn required(name: &'static str, kind: AttrKind) -> Attr {
        Attr::new(name, kind, Preset::Required)
    }
    pub const fn since(self, since: u32) -> Attr {
        Attr { since, ..self }
    }
    pub const fn until(self, until: u32) -> Attr {
        Attr { until, ..self }
    }
    pub const fn becomes_input(self, slot: usize) -> Attr {
        Attr {
            becomes_input: Some(slot),
            ..self
        }
    }
}

/// Why an operator does not fit its operands.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum TypeError {
    #[error("{op}: {message}")]
    Invalid { op: &'static str, message: String },
    #[error("{op}: attribute {attribute} {message}")]
    Attribute {
        op: &'static str,
        attribute: &'static str,
        message: String,
    },
    /// The shape of the result depends on the value of an input that is not a constant.
    #[error(
        "{op}: input {input} ('{name}') must be known at compile time, because the shape of the result depends on its value"
    )]
    NeedsConstant {
        op: &'static str,
        input: usize,
        name: &'static str,
    },
    #[error("{op}: dimension '{dim}' of input {input} must be known at compile time")]
    NeedsFixed {
        op: &'static str,
        input: usize,
        dim: String,
    },
    #[error("{op}: {message} (not supported)")]
    Unsupported { op: &'static str, message: String },
    #[error(
        "{op}: result of shape {shape} is too large for memory: its size overflows the limit of {MAX_BYTES} bytes"
    )]
    TooLarge { op: &'static str, shape: String },
}

/// An input as an operator sees it.
#[derive(Clone, Copy)]
pub struct Arg<'a> {
    pub ty: &'a TensorType,
    /// The value, where it is a constant.
    pub value: Option<&'a Tensor>,
}

/// What `infer` and `semantics` are given: attributes, inputs, number of outputs asked for, bodies.
pub struct Cx<'a> {
    pub def: &'static OpDef,
    pub attrs: &'a Attrs,
    /// One entry an input; `None` for an optional input that is left out (trailing ones may be missing).
    pub inputs: &'a [Option<Arg<'a>>],
    /// Number of outputs of the node.
    pub outputs: usize,
    pub bodies: &'a [Graph],
    /// A name unique in the graph, from which symbols of data-dependent extents are made.
    pub name: &'a str,
}

impl<'a> Cx<'a> {
    pub fn error(&self, message: impl Into<String>) -> TypeError {
        TypeError::Invalid {
            op: self.def.name,
            message: message.into(),
        }
    }
    pub fn unsupported(&self, message: impl Into<String>) -> TypeError {
        TypeError::Unsupported {
            op: self.def.name,
            message: message.into(),
        }
    }
    pub fn attr_error(&self, attribute: &'static str, message: impl Into<String>) -> TypeError {
        TypeError::Attribute {
            op: self.def.name,
            attribute,
            message: message.into(),
        }
    }

    /// Whether input `i` is given.
    pub fn has(&self, i: usize) -> bool {
        self.get(i).is_some()
    }
    pub fn get(&self, i: usize) -> Option<Arg<'a>> {
        self.inputs.get(i).copied().flatten()
    }
    pub fn ty(&self, i: usize) -> Result<&'a TensorType, TypeError> {
        self.get(i)
            .map(|a| a.ty)
            .ok_or_else(|| self.error(format!("required input {i} is missing")))
    }
    pub fn dtype(&self, i: usize) -> Result<DType, TypeError> {
        Ok(self.ty(i)?.dtype)
    }
    pub fn rank(&self, i: usize) -> Result<usize, TypeError> {
        Ok(self.ty(i)?.rank())
    }
    /// The shape of input `i`, all dimensions known.
    pub fn shape(&self, i: usize) -> Result<Vec<usize>, TypeError> {
        let ty = self.ty(i)?;
        ty.fixed_shape().ok_or_else(|| TypeError::NeedsFixed {
            op: self.def.name,
            input: i,
            dim: ty
                .shape
                .iter()
                .find(|d| d.fixed().is_none())
                .map(Dim::to_string)
                .unwrap_or_default(),
        })
    }
    /// Dimension `axis` of input `i`, which must be known.
    pub fn extent(&self, i: usize, axis: usize) -> Result<u64, TypeError> {
        let dim = self.ty(i)?.shape.get(axis);
        dim.and_then(Dim::fixed)
            .ok_or_else(|| TypeError::NeedsFixed {
                op: self.def.name,
                input: i,
                dim: dim.map(Dim::to_string).unwrap_or_default(),
            })
    }
    /// The extent of a result that depends on data; `upper` bounds it. Unique to the node.
    pub fn data_extent(&self, upper: Option<u64>) -> Dim {
        Dim::sym(&format!("{}.n", self.name), upper)
    }
    /// The one element of constant input `i`, as an integer.
    pub fn const_int(&self, i: usize) -> Result<i64, TypeError> {
        match self.constant(i)?.to_i64()[..] {
            [v] => Ok(v),
            _ => Err(self.error(format!(
                "input {i} must have one element, is {}",
                self.ty(i)?
            ))),
        }
    }
    /// The value of input `i`, which must be a constant.
    pub fn constant(&self, i: usize) -> Result<&'a Tensor, TypeError> {
        self.ty(i)?;
        let name = self
            .def
            .inputs
            .get(i)
            .or(self.def.inputs.last())
            .map_or("", |d| d.name);
        self.get(i)
            .and_then(|a| a.value)
            .ok_or(TypeError::NeedsConstant {
                op: self.def.name,
                input: i,
                name,
            })
    }
    /// The integers of constant input `i`; `None` where the input is left out.
    pub fn const_ints(&self, i: usize) -> Result<Option<Vec<i64>>, TypeError> {
        if self.has(i) {
            Ok(Some(self.constant(i)?.to_i64()))
        } else {
            Ok(None)
        }
    }

    fn value(&self, name: &'static str) -> Option<&'a AttrValue> {
        debug_assert!(
            self.def.attr(name).is_some(),
            "{} declares no attribute {name}",
            self.def.name
        );
        self.attrs.get(name)
    }
    fn preset(&self, name: &'static str) -> Preset {
        self.def.attr(name).map_or(Preset::Absent, |a| a.default)
    }
    fn missing(&self, name: &'static str) -> TypeError {
        self.attr_error(name, "is missing or of the wrong type")
    }
    pub fn int(&self, name: &'static str) -> Result<i64, TypeError> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Int(v)), _) => Ok(*v),
            (None, Preset::Int(v)) => Ok(v),
            _ => Err(self.missing(name)),
        }
    }
    /// An integer attribute used as a truth value.
    pub fn flag(&self, name: &'static str) -> Result<bool, TypeError> {
        Ok(self.int(name)? != 0)
    }
    pub fn float(&self, name: &'static str) -> Result<f64, TypeError> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Float(v)), _) => Ok(*v),
            (None, Preset::Float(v)) => Ok(v),
            _ => Err(self.missing(name)),
        }
    }
    pub fn str(&self, name: &'static str) -> Result<&'a str, TypeError> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Str(v)), _) => Ok(v),
            (None, Preset::Str(v)) => Ok(v),
            _ => Err(self.missing(name)),
        }
    }
    /// An optional integer: `None` where it is absent and has no default.
    pub fn opt_int(&self, name: &'static str) -> Option<i64> {
        self.int(name).ok()
    }
    pub fn opt_ints(&self, name: &'static str) -> Option<Vec<i64>> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Ints(v)), _) => Some(v.clone()),
            (None, Preset::Ints(v)) => Some(v.to_vec()),
            _ => None,
        }
    }
    pub fn ints(&self, name: &'static str) -> Result<Vec<i64>, TypeError> {
        self.opt_ints(name).ok_or_else(|| self.missing(name))
    }
    pub fn floats(&self, name: &'static str) -> Option<Vec<f64>> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Floats(v)), _) => Some(v.clone()),
            (None, Preset::Floats(v)) => Some(v.to_vec()),
            _ => None,
        }
    }
    pub fn strs(&self, name: &'static str) -> Option<Vec<String>> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::Strs(v)), _) => Some(v.clone()),
            (None, Preset::Strs(v)) => Some(v.iter().map(|s| s.to_string()).collect()),
            _ => None,
        }
    }
    /// An element type; 0 (ONNX's "undefined") counts as absent.
    pub fn dtype_attr(&self, name: &'static str) -> Option<DType> {
        match (self.value(name), self.preset(name)) {
            (Some(AttrValue::DType(v)), _) => Some(*v),
            (None, Preset::DType(v)) => Some(v),
            _ => None,
        }
    }
    pub fn tensor(&self, name: &'static str) -> Option<&'a Tensor> {
        match self.value(name) {
            Some(AttrValue::Tensor(t)) => Some(t),
            _ => None,
        }
    }

    /// Attribute `name` as an axis of a tensor of that rank, negative ones counted from the end.
    pub fn axis(&self, name: &'static str, rank: usize) -> Result<usize, TypeError> {
        let axis = self.int(name)?;
        self.normalize_axis(axis, rank)
            .map_err(|_| self.attr_error(name, format!("is {axis}, outside of [-{rank}, {rank})")))
    }
    pub fn normalize_axis(&self, axis: i64, rank: usize) -> Result<usize, TypeError> {
        let wrapped = if axis < 0 {
            axis.checked_add(rank as i64)
        } else {
            Some(axis)
        };
        match wrapped {
            Some(a) if a >= 0 && (a as u64) < rank as u64 => Ok(a as usize),
            _ => Err(self.error(axis_message(axis, rank))),
        }
    }
    /// Distinct axes, normalised and sorted.
    pub fn normalize_axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, TypeError> {
        let mut out = axes
            .iter()
            .map(|&a| self.normalize_axis(a, rank))
            .collect::<Result<Vec<_>, _>>()?;
        out.sort_unstable();
        if out.windows(2).any(|w| w[0] == w[1]) {
            return Err(self.error(format!("axes {axes:?} name a dimension twice")));
        }
        Ok(out)
    }

    /// `infer` of operators whose result has the type of input `i`.
    pub fn same_as(&self, i: usize) -> Result<Vec<TensorType>, TypeError> {
        Ok(vec![self.ty(i)?.clone()])
    }
    /// The shape all given inputs broadcast to.
    pub fn broadcast(&self) -> Result<Vec<Dim>, TypeError> {
        let mut shape: Vec<Dim> = Vec::new();
        for a in self.inputs.iter().flatten() {
            shape = broadcast(&shape, &a.ty.shape).ok_or_else(|| {
                let shapes: Vec<String> = self
                    .inputs
                    .iter()
                    .flatten()
                    .map(|a| a.ty.to_string())
                    .collect();
                self.error(format!("shapes do not broadcast: {}", shapes.join(", ")))
            })?;
        }
        Ok(shape)
    }
    /// `infer` of elementwise operators: inputs broadcast, element type of input 0.
    pub fn infer_broadcast(&self) -> Result<Vec<TensorType>, TypeError> {
        Ok(vec![TensorType {
            dtype: self.dtype(0)?,
            shape: self.broadcast()?,
            layout: Default::default(),
        }])
    }
    /// `infer` of comparisons: inputs broadcast, boolean.
    pub fn infer_predicate(&self) -> Result<Vec<TensorType>, TypeError> {
        Ok(vec![TensorType {
            dtype: DType::Bool,
            shape: self.broadcast()?,
            layout: Default::default(),
        }])
    }
}

fn axis_message(axis: i64, rank: usize) -> String {
    format!("axis {axis} is outside of [-{rank}, {rank}) for rank {rank}")
}

/// Brings a node of an older opset to the newest form.
pub type Adapter = fn(&mut Adapt) -> Result<(), TypeError>;

/// A node of an older opset on its way to the newest form.
pub struct Adapt<'a> {
    pub def: &'static OpDef,
    pub opset: u32,
    pub attrs: &'a mut Attrs,
    /// Inputs, `None` where left out; constants may be appended with [`Adapt::set_input`].
    pub inputs: &'a mut Vec<AdaptInput>,
    /// Another operator that takes the node's place (`Upsample` becomes `Resize`).
    pub rename: Option<&'static str>,
}

/// An input during adaptation.
#[derive(Clone, Debug)]
pub enum AdaptInput {
    Absent,
    /// The node's own input, with its rank where known and value where constant.
    Given {
        index: usize,
        ty: TensorType,
        value: Option<Tensor>,
    },
    /// The node's own input with new axes of extent 1 (of the result's axes, as in Unsqueeze).
    Unsqueezed {
        index: usize,
        axes: Vec<i64>,
    },
    /// A constant that the adapter makes.
    Constant(Tensor),
}

impl Adapt<'_> {
    pub fn error(&self, message: impl Into<String>) -> TypeError {
        TypeError::Invalid {
            op: self.def.name,
            message: message.into(),
        }
    }
    /// Puts a constant at input `slot`.
    pub fn set_input(&mut self, slot: usize, tensor: Tensor) {
        while self.inputs.len() <= slot {
            self.inputs.push(AdaptInput::Absent);
        }
        self.inputs[slot] = AdaptInput::Constant(tensor);
    }
    /// Gives the node's own input `slot` `count` axes of extent 1 after its last.
    pub fn append_axes(&mut self, slot: usize, count: usize) {
        if let (Some(AdaptInput::Given { index, ty, .. }), 1..) = (self.inputs.get(slot), count) {
            let rank = ty.rank() as i64;
            self.inputs[slot] = AdaptInput::Unsqueezed {
                index: *index,
                axes: (rank..rank + count as i64).collect(),
            };
        }
    }
    pub fn ty(&self, i: usize) -> Option<TensorType> {
        match self.inputs.get(i)? {
            AdaptInput::Given { ty, .. } => Some(ty.clone()),
            AdaptInput::Constant(t) => Some(t.ty()),
            AdaptInput::Absent | AdaptInput::Unsqueezed { .. } => None,
        }
    }
}

/// Sets of element types for [`OpDef::types`].
pub mod sets {
    use crate::types::DType::{self, *};
    pub const ALL: &[DType] = &DType::ALL;
    pub const FLOAT: &[DType] = &[F32, F64, F16, BF16];
    pub const NUMERIC: &[DType] = &[F32, F64, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64];
    pub const SIGNED: &[DType] = &[F32, F64, F16, BF16, I8, I16, I32, I64];
    pub const INT: &[DType] = &[I8, I16, I32, I64, U8, U16, U32, U64];
    pub const INDEX: &[DType] = &[I32, I64];
    pub const BYTE: &[DType] = &[I8, U8];
    pub const BOOL: &[DType] = &[Bool];
}
