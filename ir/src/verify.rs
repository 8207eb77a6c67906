//! The invariants every graph keeps, whatever pass it comes from.
//!
//! * V1 edges agree with operand slots. V2 operands come before users: there is no cycle. V3 names are unique.
//! * V4 arity, attributes and element types are as the operator's schema has them.
//! * V5 stated types are the inferred ones, layout aside. (A stated symbol may stand for an extent that became known, and symbols
//!   may be called otherwise.)
//! * V6 only values of rank 4 have a blocked layout, and its block is not empty.
//! * V7 an epilogue follows an operator with one result, and its operands broadcast to that result.
//! * V8 bodies take what their operator captures, and keep the invariants themselves.
//! * V9 constants are of their types. V10 graph outputs have distinct names. V11 expressions are well formed.

use crate::attrs::AttrValue;
use crate::class::{Control, Semantics};
use crate::expr::{ExprOp, Literal, ScalarExpr, UnaryOp};
use crate::graph::{Graph, Node, NodeKind, Op, Value};
use crate::schema::check::Candidate;
use crate::types::{DType, Dim, Layout, TensorType, broadcast};
use std::collections::HashSet;
use thiserror::Error;

/// One invariant that one node breaks.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("V{invariant} at '{node}': {message}")]
pub struct Violation {
    /// The number in this module's list.
    pub invariant: u8,
    /// The node's label or first value; the graph's name where no single node is at fault.
    pub node: String,
    pub message: String,
}

/// Holds a graph and its bodies against all invariants; reports every violation.
pub fn verify(graph: &Graph) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    // Bodies wait in a list: nesting costs no stack.
    let mut waiting = vec![graph];
    while let Some(graph) = waiting.pop() {
        let mut checker = Checker {
            graph,
            violations: &mut violations,
        };
        if checker.structure() {
            graph.nodes().for_each(|node| checker.node(node));
        }
        waiting.extend(graph.nodes().filter_map(Node::op).flat_map(|op| &op.bodies));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

struct Checker<'a> {
    graph: &'a Graph,
    violations: &'a mut Vec<Violation>,
}

impl Checker<'_> {
    fn report(&mut self, invariant: u8, node: &str, message: impl Into<String>) {
        self.violations.push(Violation {
            invariant,
            node: node.to_string(),
            message: message.into(),
        });
    }

    /// V1, V2, V3, V10; whether nodes can be looked at one by one.
    fn structure(&mut self) -> bool {
        let graph = self.graph;
        let before = self.violations.len();
        for id in graph.misplaced() {
            self.report(1, graph.node(id).title(), "edges differ from operands");
        }
        let mut seen = HashSet::new();
        for id in graph.order() {
            let node = graph.node(id);
            if let Some(v) = node
                .inputs
                .iter()
                .flatten()
                .find(|v| !seen.contains(&v.node))
            {
                self.report(
                    2,
                    node.title(),
                    format!("uses %{} before it is computed", graph.value_name(*v)),
                );
            }
            seen.insert(id);
        }
        if !graph.names_agree() {
            self.report(
                3,
                &graph.name,
                "two values have one name, or a name is reserved for none",
            );
        }
        let mut names = HashSet::new();
        for (name, _) in graph.outputs() {
            if !names.insert(name) {
                self.report(10, &graph.name, format!("two outputs are called '{name}'"));
            }
        }
        self.violations.len() == before
    }

    fn node(&mut self, node: &Node) {
        for output in &node.outputs {
            self.layout(node, &output.ty);
        }
        match &node.kind {
            NodeKind::Input => {}
            NodeKind::Constant(tensor) => {
                let ty = &node.outputs[0].ty;
                if !agrees(ty, &tensor.ty()) {
                    self.report(
                        9,
                        node.title(),
                        format!("a constant of type {} is stated as {ty}", tensor.ty()),
                    );
                }
            }
            NodeKind::Op(op) => self.operator(node, op),
        }
    }

    fn layout(&mut self, node: &Node, ty: &TensorType) {
        if let Layout::Blocked { block, .. } = ty.layout
            && (block == 0 || ty.rank() != 4)
        {
            self.report(
                6,
                node.title(),
                format!("{ty} cannot have a blocked layout"),
            );
        }
    }

    fn operator(&mut self, node: &Node, op: &Op) {
        let types: Vec<Option<&TensorType>> = node
            .root_inputs()
            .iter()
            .map(|v| v.map(|v| self.graph.ty(v)))
            .collect();
        let candidate = Candidate {
            def: op.kind.def(),
            opset: None,
            attrs: &op.attrs,
            inputs: &types,
            outputs: node.outputs.len(),
            bodies: op.bodies.len(),
        };
        let faults = candidate.check();
        for fault in &faults {
            self.report(4, node.title(), fault.to_string());
        }
        let attributes = op.attrs.values().filter_map(|v| {
            if let AttrValue::Expr(e) = v {
                Some(e)
            } else {
                None
            }
        });
        for expr in attributes.chain(op.epilogue.as_ref().map(|e| &e.expr)) {
            if let Err(message) = well_formed(expr) {
                self.report(11, node.title(), message);
            }
        }
        if faults.is_empty() {
            self.types(node, op);
            self.epilogue(node, op);
            self.bodies(node, op);
        }
    }

    /// V5.
    fn types(&mut self, node: &Node, op: &Op) {
        let name = node.outputs.first().map_or("", |o| o.name.as_str());
        let inferred = match self.graph.infer(op, &node.inputs, node.outputs.len(), name) {
            Ok(types) => types,
            Err(e) => return self.report(5, node.title(), e.to_string()),
        };
        if inferred.len() < node.outputs.len() {
            self.report(
                5,
                node.title(),
                format!(
                    "has {} outputs, {} are inferred",
                    node.outputs.len(),
                    inferred.len()
                ),
            );
        }
        for (output, inferred) in node.outputs.iter().zip(&inferred) {
            if !agrees(&output.ty, inferred) {
                self.report(
                    5,
                    node.title(),
                    format!(
                        "%{} is stated as {}, inferred as {inferred}",
                        output.name, output.ty
                    ),
                );
            }
        }
    }

    /// V7.
    fn epilogue(&mut self, node: &Node, op: &Op) {
        let Some(epilogue) = &op.epilogue else { return };
        let [output] = &node.outputs[..] else {
            return self.report(
                7,
                node.title(),
                "an epilogue follows an operator with one result",
            );
        };
        if epilogue.expr.args() > epilogue.operands + 1 {
            self.report(
                7,
                node.title(),
                format!(
                    "the epilogue reads {} arguments, it has {}",
                    epilogue.expr.args(),
                    epilogue.operands + 1
                ),
            );
        }
        for v in node.epilogue_inputs() {
            let fits = v.is_some_and(|v| {
                let shape = &self.graph.ty(v).shape;
                broadcast(shape, &output.ty.shape).is_some_and(|s| s == output.ty.shape)
            });
            if !fits {
                let operand = v.map_or("a left-out operand".into(), |v: Value| {
                    self.graph.ty(v).to_string()
                });
                self.report(
                    7,
                    node.title(),
                    format!("{operand} does not broadcast to the result {}", output.ty),
                );
            }
        }
    }

    /// V8.
    fn bodies(&mut self, node: &Node, op: &Op) {
        if op.bodies.is_empty() {
            return;
        }
        let captured = match self.graph.semantics(node.id) {
            Ok(Semantics::Control(Control::If)) => node.inputs.len().saturating_sub(1),
            // Iteration number and condition stand in the places of trip count and condition.
            Ok(Semantics::Control(Control::Loop { .. })) => node.inputs.len().max(2),
            _ => return,
        };
        for body in &op.bodies {
            if body.inputs().len() != captured {
                self.report(
                    8,
                    node.title(),
                    format!(
                        "the body '{}' has {} inputs, {captured} are handed to it",
                        body.name,
                        body.inputs().len()
                    ),
                );
            }
        }
    }
}

/// Whether a stated type may stand for the inferred one, layout aside.
fn agrees(stated: &TensorType, inferred: &TensorType) -> bool {
    stated.dtype == inferred.dtype
        && stated.rank() == inferred.rank()
        && stated
            .shape
            .iter()
            .zip(&inferred.shape)
            .all(|(s, i)| match (s, i) {
                (Dim::Fixed(s), Dim::Fixed(i)) => s == i,
                (Dim::Fixed(_), Dim::Sym { .. }) => false,
                (Dim::Sym { upper, .. }, i) => {
                    upper.is_none_or(|u| i.upper().is_none_or(|i| i <= u))
                }
            })
}

/// Instructions read earlier ones, of types that fit.
fn well_formed(expr: &ScalarExpr) -> Result<(), String> {
    if expr.insts.is_empty() {
        return Err("the expression is empty".into());
    }
    for (number, inst) in expr.insts.iter().enumerate() {
        let earlier = |i: u32| {
            let found = expr.insts[..number]
                .get(i as usize)
                .map(|i| i.dtype.compute());
            found.ok_or_else(|| {
                format!("%{number} of the expression reads %{i}, which does not come before it")
            })
        };
        let dtype = inst.dtype;
        let fits = match inst.op {
            ExprOp::Arg(_) => true,
            ExprOp::Lit(Literal::Float(_)) => dtype.is_float(),
            ExprOp::Lit(Literal::Int(_)) => !dtype.is_float(),
            ExprOp::Index(_) => dtype == DType::I64,
            ExprOp::Unary(UnaryOp::IsNan | UnaryOp::IsInf, a) => {
                earlier(a)?;
                dtype == DType::Bool
            }
            ExprOp::Unary(_, a) => earlier(a)? == dtype,
            ExprOp::Binary(op, a, b) => {
                let (a, b) = (earlier(a)?, earlier(b)?);
                a == b && dtype == if op.is_comparison() { DType::Bool } else { a }
            }
            ExprOp::Select(c, a, b) => {
                earlier(c)? == DType::Bool && earlier(a)? == dtype && earlier(b)? == dtype
            }
            ExprOp::Cast(a) => earlier(a).map(|_| true)?,
            ExprOp::Bitcast(a) => earlier(a).map(|_| true)?,
        };
        if !fits {
            return Err(format!("%{number} of the expression cannot be {dtype}"));
        }
    }
    Ok(())
}
