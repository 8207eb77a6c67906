//! Sequences whose length is known: lists of values that exist only during import. The operators on them move values about, so
//! that nothing of them is left in the graph but slices and a concatenation.
//!
//! Deliberately absent: sequences as inputs and outputs of graphs and bodies, and lengths known only at run time.

use super::adapt::unsqueeze;
use super::control::Refusal;
use super::model::{Importer, domain};
use super::node::{constant, place};
use super::scope::{Found, Scope};
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::proto;
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::schema::TypeError;
use cnnc_ir::{DType, Graph, OpKind, Tensor, Value};

/// Longest sequence that a tensor is split into.
const MAX_LENGTH: usize = 1 << 12;

/// Most values that all sequences together may list.
const MAX_LISTED: usize = 1 << 22;

/// What an operator on sequences yields.
pub enum Yield {
    Sequence(Vec<Value>),
    Value(Value),
}

impl Importer<'_> {
    /// The result of an operator on sequences; `None` for every other operator.
    pub fn sequence(
        &mut self,
        node: &proto::Node,
        scope: &mut Scope,
    ) -> Result<Option<Yield>, Refusal> {
        if !domain(&node.domain).is_empty() || self.opsets.get("").is_none_or(|&opset| opset < 11) {
            return Ok(None);
        }
        let operands = Operands { node, scope };
        let result = match operands.list(&node.op_type)? {
            Some(list) => {
                self.listed = self.listed.saturating_add(list.len());
                Yield::Sequence(list)
            }
            None => match node.op_type.as_str() {
                "SequenceAt" => Yield::Value(operands.element()?),
                "SequenceLength" => {
                    let length = Tensor::scalar_i64(DType::I64, operands.sequence(0)?.len() as i64);
                    Yield::Value(scope.graph.add_constant("", length))
                }
                "ConcatFromSequence" => {
                    let (list, axis) = (operands.sequence(0)?, operands.int("axis")?);
                    let axis =
                        axis.ok_or_else(|| operands.refuse("required attribute axis is missing"))?;
                    let stack = operands.int("new_axis")?.unwrap_or(0) != 0;
                    let joined = join(&mut scope.graph, &list, axis, stack);
                    Yield::Value(joined.map_err(|e| mistyped(node, &e))?)
                }
                "SplitToSequence" => {
                    let (parts, value) = (operands.parts()?, operands.value(0)?);
                    self.listed = self.listed.saturating_add(parts.sizes.len());
                    let list = parts.cut(&mut scope.graph, value);
                    Yield::Sequence(list.map_err(|e| mistyped(node, &e))?)
                }
                _ => return Ok(None),
            },
        };
        match node.output.len() {
            _ if self.listed > MAX_LISTED => {
                Err(refusal(node, "sequences are too long: over the limit"))
            }
            1 => Ok(Some(result)),
            n => Err(refusal(
                node,
                format!("has {n} outputs, {} has 1", node.op_type),
            )),
        }
    }
}

fn refusal(node: &proto::Node, message: impl Into<String>) -> Refusal {
    Some(Box::new(Problem::new(place(node), message.into())))
}

fn mistyped(node: &proto::Node, e: &TypeError) -> Refusal {
    refusal(node, e.to_string())
}

/// The operands of a node, as the operators on sequences want them.
struct Operands<'a> {
    node: &'a proto::Node,
    scope: &'a Scope,
}

impl Operands<'_> {
    fn refuse(&self, message: impl Into<String>) -> Refusal {
        refusal(self.node, message)
    }

    fn find(&self, i: usize) -> Result<Option<Found>, Refusal> {
        let Some(name) = self.node.input.get(i).filter(|n| !n.is_empty()) else {
            return Ok(None);
        };
        match self.scope.find(name) {
            Found::Poisoned => Err(None),
            Found::Unknown => Err(self.refuse(format!(
                "input '{}' is not produced by any node before it (undefined, or part of a cycle)",
                shown(name)
            ))),
            found => Ok(Some(found)),
        }
    }

    fn value(&self, i: usize) -> Result<Value, Refusal> {
        match self.find(i)? {
            Some(Found::Value(v)) => Ok(v),
            Some(_) => Err(self.refuse(format!("input {i} must be a tensor, is a sequence"))),
            None => Err(self.refuse(format!("required input {i} is missing"))),
        }
    }

    fn sequence(&self, i: usize) -> Result<Vec<Value>, Refusal> {
        match self.find(i)? {
            Some(Found::Sequence(list)) => Ok(list),
            Some(_) => Err(self.refuse(format!("input {i} must be a sequence, is a tensor"))),
            None => Err(self.refuse(format!("required input {i} is missing"))),
        }
    }

    /// The result of the operators that rearrange lists; `None` for others.
    fn list(&self, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
        Ok(Some(match operator {
            "SequenceEmpty" => Vec::new(),
            "SequenceConstruct" => {
                let given = 0..self.node.input.len();
                given.map(|i| self.value(i)).collect::<Result<_, _>>()?
            }
            "SequenceInsert" => {
                let (mut list, value) = (self.sequence(0)?, self.value(1)?);
                let at = self.position(2, list.len() + 1)?.unwrap_or(list.len());
                list.insert(at, value);
                list
            }
            "SequenceErase" => {
                let mut list = self.sequence(0)?;
                let last = list.len().checked_sub(1);
                let at = self.position(1, list.len())?.or(last);
                list.remove(at.ok_or_else(|| self.refuse("the sequence is empty"))?);
                list
            }
            _ => return Ok(None),
        }))
    }

    /// The result of `SequenceAt`.
    fn element(&self) -> Result<Value, Refusal> {
        let list = self.sequence(0)?;
        match self.position(1, list.len())? {
            Some(at) => Ok(list[at]),
            None => Err(self.refuse("required input 1 ('position') is missing")),
        }
    }

    fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.node.attribute.iter().find(|a| a.name == name) {
            None => Ok(None),
            Some(a) if !a.ref_attr_name.is_empty() => Err(self.refuse(format!(
                "attribute {name} refers to no attribute of a function"
            ))),
            Some(a) => {
                a.i.map(Some)
                    .ok_or_else(|| self.refuse(format!("attribute {name} must be an integer")))
            }
        }
    }

    /// The integers of constant operand `i`, and whether it is a scalar.
    fn constant(&self, i: usize) -> Result<Option<(Vec<i64>, bool)>, Refusal> {
        if self.find(i)?.is_none() {
            return Ok(None);
        }
        let v = self.value(i)?;
        let t = constant(&self.scope.graph, v, self.node, i)?;
        Ok(Some((t.to_i64(), t.shape().is_empty())))
    }

    /// Operand `i` as a place among `count`, negative ones counted from the end; `None` where it is left out.
    fn position(&self, i: usize, count: usize) -> Result<Option<usize>, Refusal> {
        let Some((values, _)) = self.constant(i)? else {
            return Ok(None);
        };
        let [position] = values[..] else {
            return Err(self.refuse(format!("input {i} must have one element")));
        };
        let wrapped = if position < 0 {
            position.checked_add(count as i64)
        } else {
            Some(position)
        };
        let inside = wrapped
            .and_then(|p| usize::try_from(p).ok())
            .filter(|&p| p < count);
        inside.map(Some).ok_or_else(|| {
            self.refuse(format!(
                "position {position} is out of range: there are {count}"
            ))
        })
    }

    /// How `SplitToSequence` cuts its operand: single slices, equal parts with a rest, or the parts listed.
    fn parts(&self) -> Result<Parts, Refusal> {
        let ty = self.scope.graph.ty(self.value(0)?);
        let axis = self.int("axis")?.unwrap_or(0);
        let from_start = if axis < 0 {
            axis.saturating_add(ty.rank() as i64)
        } else {
            axis
        };
        let axis = usize::try_from(from_start).ok().filter(|&a| a < ty.rank());
        let axis =
            axis.ok_or_else(|| self.refuse(format!("attribute axis is out of range for {ty}")))?;
        let extent = ty.shape[axis].fixed().and_then(|n| i64::try_from(n).ok());
        let extent = extent.ok_or_else(|| {
            self.refuse(format!(
                "dimension {axis} of {ty} must be known at compile time"
            ))
        })?;
        let keepdims = self.int("keepdims")?.unwrap_or(1) != 0;
        let equal = |size: i64| -> Result<Vec<i64>, Refusal> {
            if size < 1 || extent / size > MAX_LENGTH as i64 {
                return Err(self.refuse(format!(
                    "parts of {size} of an extent of {extent}: none, or too many"
                )));
            }
            Ok((0..extent)
                .step_by(size as usize)
                .map(|start| size.min(extent - start))
                .collect())
        };
        let given = self.constant(1)?;
        let squeezed = given.is_none() && !keepdims;
        let sizes = match given {
            None => equal(1)?,
            Some((values, true)) => equal(values.first().copied().unwrap_or(0))?,
            Some((values, false)) => values,
        };
        let total = sizes
            .iter()
            .try_fold(0i64, |sum, &s| sum.checked_add(s).filter(|_| s >= 0));
        if total != Some(extent) || sizes.len() > MAX_LENGTH {
            return Err(self.refuse(format!(
                "parts {sizes:?} do not make up the extent {extent}"
            )));
        }
        Ok(Parts {
            axis,
            sizes,
            squeezed,
        })
    }
}

struct Parts {
    axis: usize,
    sizes: Vec<i64>,
    /// Parts of extent 1 lose the axis.
    squeezed: bool,
}

impl Parts {
    fn cut(&self, graph: &mut Graph, value: Value) -> Result<Vec<Value>, TypeError> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(self.sizes.len());
        for size in &self.sizes {
            let end = start + size;
            let bounds =
                [start, end, self.axis as i64].map(|v| graph.add_constant("", Tensor::ints(&[v])));
            let mut part = graph.op(
                OpKind::Slice,
                &[value, bounds[0], bounds[1], bounds[2]],
                Attrs::new(),
            )?;
            if self.squeezed {
                part = graph.op(OpKind::Squeeze, &[part, bounds[2]], Attrs::new())?;
            }
            parts.push(part);
            start = end;
        }
        Ok(parts)
    }
}

/// The values one after the other along an axis, a new one where `stack`.
fn join(graph: &mut Graph, list: &[Value], axis: i64, stack: bool) -> Result<Value, TypeError> {
    let parts = list
        .iter()
        .map(|&v| {
            if stack {
                unsqueeze(graph, v, &[axis])
            } else {
                Ok(v)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let axis = Attrs::from([("axis".to_string(), AttrValue::Int(axis))]);
    graph.op(OpKind::Concat, &parts, axis)
}
