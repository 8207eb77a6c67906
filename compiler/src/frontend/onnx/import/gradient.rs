//! `Gradient` of `ai.onnx.preview.training`: the derivatives of a value of the model with respect to others, as ordinary nodes.
//!
//! What lies between `xs`, `zs` and `y` is copied with the node's operands in the place of `xs` and `zs`, differentiated
//! ([`cnnc_ir::autodiff`]) and written out where the node stands. So gradients end at `zs`, and a value that is fed need not be the
//! one that is named. <https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html>

use super::MAX_NODES;
use super::control::Refusal;
use super::model::Importer;
use super::node::place;
use super::scope::{Found, Scope};
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::{proto, schema_check};
use cnnc_ir::attrs::{AttrKind, AttrValue, Attrs};
use cnnc_ir::autodiff::{GradientError, gradients};
use cnnc_ir::schema::{Attr, Input, OpDef, Output, Preset, TypeError, sets};
use cnnc_ir::{Graph, Value};
use std::collections::{HashMap, HashSet};

/// What a Gradient node looks like. It is no operator of a graph, so the list of those does not have it.
static DEF: OpDef = OpDef {
    name: "Gradient",
    domain: "ai.onnx.preview.training",
    inputs: &[Input::new("Inputs", "T").variadic()],
    outputs: &[Output::new("Outputs", "T").variadic()],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::required("xs", AttrKind::Strs),
        Attr::new("zs", AttrKind::Strs, Preset::Strs(&[])),
        Attr::required("y", AttrKind::Str),
    ],
    ..OpDef::NEW
};

/// Whether a node is a Gradient.
pub fn is_gradient(node: &proto::Node) -> bool {
    node.op_type == DEF.name && node.domain == DEF.domain
}

/// Names that the Gradients among these nodes differentiate by.
pub fn differentiated(nodes: &[proto::Node]) -> HashSet<String> {
    let lists = nodes.iter().filter(|n| is_gradient(n));
    let lists = lists.flat_map(|n| n.attribute.iter().filter(|a| a.name == "xs"));
    let names = lists.flat_map(|a| &a.strings);
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

impl Importer<'_> {
    /// The results of a Gradient.
    pub fn gradient(
        &mut self,
        node: &proto::Node,
        operands: &[Option<Value>],
        opset: u32,
        scope: &mut Scope,
    ) -> Result<Vec<Option<Value>>, Refusal> {
        let fail = |message: String| Some(Box::new(Problem::new(place(node), message)));
        let attrs = schema_check::attributes(&DEF, opset, &node.attribute, self.folder);
        let attrs = attrs.map_err(fail)?;
        let [xs, zs] = ["xs", "zs"].map(|name| names(&attrs, name));
        let y = match attrs.get("y") {
            Some(AttrValue::Str(y)) => self.named(node, y, scope)?,
            _ => return Err(fail("required attribute y is missing".to_string())),
        };
        let (given, wanted) = (operands.len(), xs.len() + zs.len());
        if given != wanted {
            let message = format!("xs and zs name {wanted} values, {given} are given");
            return Err(fail(message));
        }
        if node.output.len() > xs.len() {
            let message = format!("has {} outputs, xs names {}", node.output.len(), xs.len());
            return Err(fail(message));
        }
        let mut part = Part::new(&scope.graph);
        let mut wrt = Vec::new();
        for (k, (name, operand)) in xs.iter().chain(&zs).zip(operands).enumerate() {
            let value = self.named(node, name, scope)?;
            let operand = operand.ok_or_else(|| fail(format!("input {k} is missing")))?;
            let twice = || fail(format!("'{}' is named twice", shown(name)));
            let place = part.feed(value, operand, k >= xs.len()).ok_or_else(twice)?;
            if k < xs.len() {
                wrt.push(place);
            }
        }
        let y = part.copy(y).map_err(|e| fail(e.to_string()))?;
        let Part {
            mut graph, outer, ..
        } = part;
        let found = gradients(&mut graph, y, None, &wrt).map_err(|e| refused(node, &e))?;
        for v in found {
            graph.add_output("", v);
        }
        graph.sweep();
        self.nodes += graph.len();
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} nodes after gradients are written out");
            return Err(fail(message));
        }
        let label = shown(&node.name);
        let results = scope.graph.inline(&graph, &outer, "", &label);
        let results = results.map_err(|e| fail(e.to_string()))?;
        Ok(results.into_iter().map(Some).collect())
    }

    /// The value of that name.
    fn named(&self, node: &proto::Node, name: &str, scope: &Scope) -> Result<Value, Refusal> {
        let message = match scope.find(name) {
            Found::Value(v) => return Ok(v),
            Found::Poisoned => return Err(None),
            Found::Sequence(_) => "is a sequence, which has no gradient",
            Found::Unknown => "is not produced by any node before it",
        };
        let message = format!("'{}' {message}", shown(name));
        Err(Some(Box::new(Problem::new(place(node), message))))
    }
}

fn names(attrs: &Attrs, name: &str) -> Vec<String> {
    match attrs.get(name) {
        Some(AttrValue::Strs(names)) => names.clone(),
        _ => Vec::new(),
    }
}

fn refused(node: &proto::Node, e: &GradientError) -> Refusal {
    Some(Box::new(Problem {
        unsupported: matches!(e, GradientError::Undefined { .. }),
        ..Problem::new(place(node), e.to_string())
    }))
}

/// A copy of a part of a graph.
struct Part<'g> {
    source: &'g Graph,
    graph: Graph,
    /// Values of the source and what stands for them.
    places: HashMap<Value, Value>,
    /// What the copy's inputs are in the source.
    outer: Vec<Value>,
}

impl<'g> Part<'g> {
    fn new(source: &'g Graph) -> Part<'g> {
        Part {
            source,
            graph: Graph::new(source.name.clone()),
            places: HashMap::new(),
            outer: Vec::new(),
        }
    }

    /// Puts `operand` in the place of `value`, whose own operands are then of no account; `None` if that has been done.
    fn feed(&mut self, value: Value, operand: Value, is_fixed: bool) -> Option<Value> {
        let constant = self.source.constant(operand).filter(|_| is_fixed);
        let place = match constant {
            Some(tensor) => self.graph.add_constant("", tensor.clone()),
            None => self.input(operand),
        };
        self.places.insert(value, place).is_none().then_some(place)
    }

    fn input(&mut self, value: Value) -> Value {
        self.outer.push(value);
        let name = self.source.value_name(value);
        self.graph.add_input(name, self.source.ty(value).clone())
    }

    /// What stands for a value: the copy of a constant, or an input.
    fn place(&mut self, value: Value) -> Value {
        if let Some(&place) = self.places.get(&value) {
            return place;
        }
        let place = match self.source.constant(value) {
            Some(tensor) => {
                let name = self.source.value_name(value);
                self.graph.add_constant(name, tensor.clone())
            }
            None => self.input(value),
        };
        self.places.insert(value, place);
        place
    }

    /// Copies what lies between the values that were fed and `y`.
    fn copy(&mut self, y: Value) -> Result<Value, TypeError> {
        let mut needed = HashSet::new();
        let mut stack = vec![y];
        while let Some(v) = stack.pop() {
            if !self.places.contains_key(&v) && needed.insert(v.node) {
                stack.extend(self.source.node(v.node).inputs.iter().flatten());
            }
        }
        let mut depends: HashSet<Value> = self.places.keys().copied().collect();
        for id in self.source.order() {
            let node = self.source.node(id);
            let reads = |v: &Value| depends.contains(v);
            let (true, Some(op)) = (needed.contains(&id), node.op()) else {
                continue;
            };
            if !node.inputs.iter().flatten().any(reads) {
                continue;
            }
            let inputs = node.inputs.iter().map(|v| v.map(|v| self.place(v)));
            let inputs = inputs.collect();
            let names: Vec<&str> = node.outputs.iter().map(|o| o.name.as_str()).collect();
            let new = self.graph.add(op.clone(), inputs, &names, &node.label)?;
            for slot in 0..node.outputs.len() as u32 {
                let old = Value { node: id, slot };
                depends.insert(old);
                let copied = Value { node: new, slot };
                self.places.entry(old).or_insert(copied);
            }
        }
        Ok(self.place(y))
    }
}
