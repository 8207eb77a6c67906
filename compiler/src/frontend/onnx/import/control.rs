//! Bodies of control flow: graphs of their own, whose captured values become operands of the node and inputs of the body.

use super::model::Importer;
use super::node::place;
use super::scope::{Found, Scope};
use crate::frontend::onnx::problem::Problem;
use crate::frontend::onnx::proto;
use cnnc_ir::graph::Op;
use cnnc_ir::{AttrValue, DType, OpKind, TensorType, Value};
use std::collections::HashSet;

type Refusal = Option<Box<Problem>>;

impl Importer<'_> {
    /// Imports the bodies of a node and appends what they capture to its operands.
    pub fn bodies(
        &mut self,
        node: &proto::Node,
        op: &mut Op,
        operands: &mut Vec<Option<Value>>,
        scope: &mut Scope,
    ) -> Result<(), Refusal> {
        let names: &[&str] = match op.kind {
            OpKind::If => &["then_branch", "else_branch"],
            OpKind::Loop | OpKind::Scan => &["body"],
            _ => return Ok(()),
        };
        let graphs: Vec<&proto::Graph> = names
            .iter()
            .map(|name| {
                let g = node
                    .attribute
                    .iter()
                    .find(|a| a.name == *name)
                    .and_then(|a| a.g.as_ref());
                g.ok_or_else(|| {
                    Some(Box::new(Problem::new(
                        place(node),
                        format!("attribute {name} has no graph"),
                    )))
                })
            })
            .collect::<Result<_, _>>()?;
        // A constant condition leaves one branch; the other is not even looked at.
        let only = match (op.kind, operands.first().copied().flatten()) {
            (OpKind::If, Some(c)) => scope
                .graph
                .constant(c)
                .map(|t| if t.to_i64().first() == Some(&0) { 1 } else { 0 }),
            _ => None,
        };
        let chosen: Vec<&proto::Graph> = match only {
            Some(i) => vec![graphs[i], graphs[i]],
            None => graphs,
        };
        let captured = captures(&chosen, scope)?;
        if matches!(op.kind, OpKind::Loop | OpKind::Scan) {
            let minimum = if op.kind == OpKind::Loop { 2 } else { 0 };
            while operands.len() < minimum {
                operands.push(None);
            }
            let carried = operands.len() as i64 - minimum as i64;
            let scans = match op.attrs.get("num_scan_inputs") {
                Some(AttrValue::Int(n)) => *n,
                _ => 0,
            };
            op.attrs
                .insert("carried".to_string(), AttrValue::Int(carried - scans));
        }
        for g in chosen {
            let parameters = self.parameters(node, op, operands, scope)?;
            op.bodies
                .push(self.body(node, g, &parameters, &captured, scope)?);
        }
        operands.extend(captured.iter().map(|(_, v)| Some(*v)));
        Ok(())
    }

    /// Types of the body's own inputs.
    fn parameters(
        &self,
        node: &proto::Node,
        op: &Op,
        operands: &[Option<Value>],
        scope: &Scope,
    ) -> Result<Vec<TensorType>, Refusal> {
        let missing = || {
            Some(Box::new(Problem::new(
                place(node),
                "a loop-carried value is missing".to_string(),
            )))
        };
        let ty = |v: &Option<Value>| v.map(|v| scope.graph.ty(v).clone()).ok_or_else(missing);
        match op.kind {
            OpKind::Loop => {
                let mut types = vec![
                    TensorType::scalar(DType::I64),
                    TensorType::scalar(DType::Bool),
                ];
                for v in &operands[2..] {
                    types.push(ty(v)?);
                }
                Ok(types)
            }
            OpKind::Scan => {
                let ints = |name: &str| match op.attrs.get(name) {
                    Some(AttrValue::Ints(v)) => v.clone(),
                    _ => Vec::new(),
                };
                let Some(AttrValue::Int(carried)) = op.attrs.get("carried") else {
                    return Err(missing());
                };
                let carried = usize::try_from(*carried).map_err(|_| missing())?;
                let axes = ints("scan_input_axes");
                operands
                    .iter()
                    .enumerate()
                    .map(|(i, v)| {
                        let mut t = ty(v)?;
                        if i >= carried {
                            let axis = axes.get(i - carried).copied().unwrap_or(0);
                            let axis = if axis < 0 {
                                axis + t.rank() as i64
                            } else {
                                axis
                            };
                            match usize::try_from(axis).ok().filter(|a| *a < t.rank()) {
                                Some(axis) => drop(t.shape.remove(axis)),
                                None => {
                                    return Err(Some(Box::new(Problem::new(
                                        place(node),
                                        format!("scan axis {axis} is out of range"),
                                    ))));
                                }
                            }
                        }
                        Ok(t)
                    })
                    .collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    fn body(
        &mut self,
        node: &proto::Node,
        g: &proto::Graph,
        parameters: &[TensorType],
        captured: &[(String, Value)],
        outer: &Scope,
    ) -> Result<cnnc_ir::Graph, Refusal> {
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
        for (info, ty) in g.input.iter().zip(parameters) {
            let v = inner.graph.add_input(&info.name, ty.clone());
            inner.define(&info.name, Some(v));
        }
        for (name, v) in captured {
            let input = inner.graph.add_input(name, outer.graph.ty(*v).clone());
            // A captured constant is a constant in the body as well, so that shapes may depend on it.
            let value = outer
                .graph
                .constant(*v)
                .map_or(input, |t| inner.graph.add_constant(name, t.clone()));
            inner.define(name, Some(value));
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

/// Outer names that the graphs use, in order of first use.
fn captures(graphs: &[&proto::Graph], scope: &Scope) -> Result<Vec<(String, Value)>, Refusal> {
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
                Found::Unknown => {}
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
