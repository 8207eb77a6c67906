//! Bodies of control flow: graphs of their own, whose captured values become operands of the node and inputs of the body.

use super::model::{Importer, domain};
use super::node::place;
use super::scope::{Found, Scope};
use crate::frontend::onnx::problem::Problem;
use crate::frontend::onnx::proto;
use cnnc_ir::graph::Op;
use cnnc_ir::{AttrValue, DType, Graph, OpKind, Tensor, TensorType, Value};
use std::collections::HashSet;

/// Why a node was not imported; an empty one where that is already reported.
pub type Refusal = Option<Box<Problem>>;

impl Importer<'_> {
    /// Imports the bodies of a node and appends what they capture to its operands.
    pub fn bodies(
        &mut self,
        node: &proto::Node,
        op: &mut Op,
        operands: &mut Vec<Option<Value>>,
        scope: &mut Scope,
    ) -> Result<(), Refusal> {
        let Some(graphs) = declared(node, op.kind)? else {
            return Ok(());
        };
        // A constant condition leaves one branch; the other is not even looked at.
        let only = match (op.kind, operands.first().copied().flatten()) {
            (OpKind::If, Some(c)) => scope
                .graph
                .constant(c)
                .map(|t| if t.to_i64().first() == Some(&0) { 1 } else { 0 }),
            _ => None,
        };
        let chosen = match only {
            Some(i) => vec![graphs[i], graphs[i]],
            None => graphs,
        };
        let present: Vec<&proto::Graph> = chosen.iter().copied().flatten().collect();
        let captured = captures(&present, scope)?;
        if matches!(op.kind, OpKind::Loop | OpKind::Scan) {
            let leading = self.leading(node, op.kind);
            while operands.len() < leading {
                operands.push(None);
            }
            let carried = (operands.len() - leading) as i64;
            let scans = match op.attrs.get("num_scan_inputs") {
                Some(AttrValue::Int(n)) => *n,
                _ => 0,
            };
            op.attrs.insert(
                "carried".to_string(),
                AttrValue::Int(carried.saturating_sub(scans)),
            );
        }
        for g in chosen {
            let body = match g {
                Some(g) => {
                    let parameters = self.parameters(node, op, operands, scope)?;
                    self.body(node, g, &parameters, &captured, scope)?
                }
                None => Graph::new(""),
            };
            op.bodies.push(body);
        }
        operands.extend(captured.iter().map(|(_, v)| Some(*v)));
        Ok(())
    }

    /// Operands before those that the body is given: of Loop trip count and condition, of Scan before opset 9 the lengths.
    fn leading(&self, node: &proto::Node, kind: OpKind) -> usize {
        match kind {
            OpKind::Loop => 2,
            OpKind::Scan => usize::from(self.is_batched(node)),
            _ => 0,
        }
    }

    /// Whether Scan's operands have a batch axis: before opset 9.
    fn is_batched(&self, node: &proto::Node) -> bool {
        self.opsets
            .get(domain(&node.domain))
            .is_some_and(|&opset| opset < 9)
    }

    /// The body's own inputs.
    fn parameters(
        &self,
        node: &proto::Node,
        op: &Op,
        operands: &[Option<Value>],
        scope: &Scope,
    ) -> Result<Vec<Parameter>, Refusal> {
        let refusal = |message: &str| Some(Box::new(Problem::new(place(node), message)));
        let ty = |v: &Option<Value>| {
            v.map(|v| scope.graph.ty(v).clone())
                .ok_or_else(|| refusal("a loop-carried value is missing"))
        };
        let given = || operands[self.leading(node, op.kind)..].iter();
        let types = match op.kind {
            OpKind::Loop => [DType::I64, DType::Bool]
                .map(|d| Ok(TensorType::scalar(d)))
                .into_iter()
                .chain(given().map(ty))
                .collect::<Result<Vec<_>, _>>()?,
            OpKind::Scan => {
                let axes = match op.attrs.get("scan_input_axes") {
                    Some(AttrValue::Ints(v)) => v.as_slice(),
                    _ => &[],
                };
                let carried = match op.attrs.get("carried") {
                    Some(AttrValue::Int(n)) => usize::try_from(*n).ok(),
                    _ => None,
                };
                let carried = carried.ok_or_else(|| refusal("a loop-carried value is missing"))?;
                let slice = |(i, v): (usize, &Option<Value>)| -> Result<TensorType, Refusal> {
                    let mut t = ty(v)?;
                    if self.is_batched(node) {
                        remove_axis(&mut t, 0)
                            .ok_or_else(|| refusal("an operand has no batch axis"))?;
                    }
                    if let Some(at) = i.checked_sub(carried) {
                        let axis = axes.get(at).copied().unwrap_or(0);
                        remove_axis(&mut t, axis)
                            .ok_or_else(|| refusal(&format!("scan axis {axis} is out of range")))?;
                    }
                    Ok(t)
                };
                given().enumerate().map(slice).collect::<Result<_, _>>()?
            }
            OpKind::FlexAttention => {
                vec![scores(op, operands, scope).ok_or_else(|| {
                    refusal("Q and K must have the shape [batch,heads,steps,size]")
                })?]
            }
            _ => Vec::new(),
        };
        Ok(types.into_iter().map(Parameter::from).collect())
    }

    pub fn body(
        &mut self,
        node: &proto::Node,
        g: &proto::Graph,
        parameters: &[Parameter],
        captured: &[(String, Value)],
        outer: &Scope,
    ) -> Result<Graph, Refusal> {
        if g.input.len() != parameters.len() {
            let message = format!(
                "the body has {} inputs, {} are given to it",
                g.input.len(),
                parameters.len()
            );
            return Err(Some(Box::new(Problem::new(place(node), message))));
        }
        let mut inner = Scope::new(&g.name);
        let before = self.problems.len();
        let own = g
            .input
            .iter()
            .map(|info| &info.name)
            .zip(parameters.iter().cloned());
        let around = captured
            .iter()
            .map(|(name, v)| (name, Parameter::of(&outer.graph, *v)));
        for (name, parameter) in own.chain(around) {
            let input = inner.graph.add_input(name, parameter.ty);
            let constant = parameter.value.map(|t| inner.graph.add_constant(name, t));
            inner.define(name, Some(constant.unwrap_or(input)));
        }
        self.initializers(g, &mut inner);
        self.nodes(&g.node, &mut inner);
        self.outputs(g, &mut inner);
        if self.problems.len() > before {
            return Err(None);
        }
        inner.graph.sweep();
        Ok(inner.graph)
    }
}

/// An input of a body. Where its value is known it is a constant there, so that shapes may depend on it.
#[derive(Clone)]
pub struct Parameter {
    pub ty: TensorType,
    pub value: Option<Tensor>,
}

impl From<TensorType> for Parameter {
    fn from(ty: TensorType) -> Parameter {
        Parameter { ty, value: None }
    }
}

impl Parameter {
    pub fn of(graph: &Graph, v: Value) -> Parameter {
        Parameter {
            ty: graph.ty(v).clone(),
            value: graph.constant(v).cloned(),
        }
    }
}

/// The graphs that a node of that kind has as attributes, in order; `None` for one that may be, and is, left out.
fn declared(
    node: &proto::Node,
    kind: OpKind,
) -> Result<Option<Vec<Option<&proto::Graph>>>, Refusal> {
    let names: &[&str] = match kind {
        OpKind::If => &["then_branch", "else_branch"],
        OpKind::Loop | OpKind::Scan => &["body"],
        OpKind::FlexAttention => &["score_mod", "prob_mod"],
        _ => return Ok(None),
    };
    let graph = |name: &&str| {
        let g = node
            .attribute
            .iter()
            .find(|a| a.name == *name)
            .map(|a| a.g.as_ref());
        match g {
            Some(Some(g)) => Ok(Some(g)),
            None if kind == OpKind::FlexAttention => Ok(None),
            _ => {
                let message = format!("attribute {name} has no graph");
                Err(Some(Box::new(Problem::new(place(node), message))))
            }
        }
    };
    names.iter().map(graph).collect::<Result<_, _>>().map(Some)
}

fn remove_axis(ty: &mut TensorType, axis: i64) -> Option<()> {
    let axis = if axis < 0 {
        axis.checked_add(ty.rank() as i64)?
    } else {
        axis
    };
    let axis = usize::try_from(axis).ok().filter(|a| *a < ty.rank())?;
    ty.shape.remove(axis);
    Some(())
}

/// The scores of FlexAttention: `[batch, heads, steps, keys]`.
fn scores(op: &Op, operands: &[Option<Value>], scope: &Scope) -> Option<TensorType> {
    let ty = |i: usize| Some(scope.graph.ty(operands.get(i).copied().flatten()?));
    let (q, k) = (ty(0)?, ty(1)?);
    let dtype = match op.attrs.get("softmax_precision") {
        Some(AttrValue::DType(d)) => *d,
        _ => q.dtype.compute(),
    };
    let keys = k.shape.get(2)?.clone();
    let shape = q.shape.get(..3)?.iter().cloned().chain([keys]);
    Some(TensorType::new(dtype, shape))
}

/// Outer names that the graphs use, in order of first use.
pub fn captures(graphs: &[&proto::Graph], scope: &Scope) -> Result<Vec<(String, Value)>, Refusal> {
    let mut free = Vec::new();
    for g in graphs {
        free_names(g, &mut free);
    }
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for name in free {
        if seen.insert(name.clone()) {
            match scope.find(&name) {
                Found::Value(v) => found.push((name, v)),
                Found::Poisoned => return Err(None),
                // The body's import reports it where it is used.
                Found::Sequence(_) | Found::Unknown => {}
            }
        }
    }
    Ok(found)
}

/// Names a graph uses and does not define. The depth of nesting is bounded by the protobuf decoder.
fn free_names(g: &proto::Graph, free: &mut Vec<String>) {
    let mut defined: HashSet<&str> = g
        .input
        .iter()
        .map(|i| i.name.as_str())
        .chain(g.initializer.iter().map(|t| t.name.as_str()))
        .collect();
    for node in &g.node {
        for name in node
            .input
            .iter()
            .filter(|n| !n.is_empty() && !defined.contains(n.as_str()))
        {
            free.push(name.clone());
        }
        for inner in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            let mut names = Vec::new();
            free_names(inner, &mut names);
            free.extend(names.into_iter().filter(|n| !defined.contains(n.as_str())));
        }
        defined.extend(node.output.iter().map(String::as_str));
    }
    free.extend(
        g.output
            .iter()
            .map(|o| o.name.clone())
            .filter(|n| !defined.contains(n.as_str())),
    );
}
