//! Functions of the model are written out where they are called.

use super::MAX_NODES;
use super::gradient::differentiated;
use super::model::Importer;
use super::node::place;
use super::scope::Scope;
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::proto;
use cnnc_ir::Value;
use std::collections::HashMap;

/// Functions in functions.
const MAX_DEPTH: usize = 64;

impl Importer<'_> {
    /// The results of a call.
    pub fn call(
        &mut self,
        f: &proto::Function,
        node: &proto::Node,
        operands: Vec<Option<Value>>,
        scope: &mut Scope,
    ) -> Result<Vec<Option<Value>>, Option<Problem>> {
        let key = (f.domain.clone(), f.name.clone());
        if self.calls.contains(&key) || self.calls.len() >= MAX_DEPTH {
            return Err(Some(Problem::new(
                place(node),
                format!(
                    "function {} calls itself, or functions nest too deep: over the limit",
                    shown(&f.name)
                ),
            )));
        }
        if self.nodes > MAX_NODES {
            return Err(None);
        }
        let opsets = self.read_opsets(&f.opset_import);
        let outer = std::mem::replace(&mut self.opsets, opsets);
        self.calls.push(key);
        // The body sees its parameters only; the graph is the caller's.
        let names = f
            .input
            .iter()
            .zip(operands.iter().copied().chain(std::iter::repeat(None)));
        let inner: HashMap<String, Option<Value>> = names
            .filter_map(|(n, v)| v.map(|v| (n.clone(), Some(v))))
            .collect();
        let by = differentiated(&f.node);
        let varied = inner.iter().filter(|(name, _)| by.contains(*name));
        scope.varied.extend(varied.filter_map(|(_, v)| *v));
        let callers = std::mem::replace(&mut scope.names, inner);
        let lists = std::mem::take(&mut scope.sequences);
        let names = std::mem::replace(&mut scope.differentiated, by);
        let absent: Vec<&String> = f.input.iter().skip(operands.len()).collect();
        let body: Vec<proto::Node> = f.node.iter().map(|n| bind(n, node, f, &absent)).collect();
        self.nodes(&body, scope);
        let inner = std::mem::replace(&mut scope.names, callers);
        scope.sequences = lists;
        scope.differentiated = names;
        self.calls.pop();
        self.opsets = outer;
        f.output
            .iter()
            .map(|name| match inner.get(name) {
                Some(v) => Ok(*v),
                None => Err(Some(Problem::new(
                    place(node),
                    format!(
                        "function {} does not produce its output '{}'",
                        shown(&f.name),
                        shown(name)
                    ),
                ))),
            })
            .collect()
    }
}

/// A node of a body with the call's attributes in place of the references to them.
fn bind(
    n: &proto::Node,
    call: &proto::Node,
    f: &proto::Function,
    absent: &[&String],
) -> proto::Node {
    let mut bound = n.clone();
    for input in &mut bound.input {
        if absent.contains(&&*input) {
            input.clear();
        }
    }
    bound.attribute = n
        .attribute
        .iter()
        .filter_map(|a| {
            if a.ref_attr_name.is_empty() {
                return Some(bind_graph(a, call, f, absent));
            }
            let given = call
                .attribute
                .iter()
                .chain(&f.attribute_proto)
                .find(|g| g.name == a.ref_attr_name)?;
            Some(proto::Attribute {
                name: a.name.clone(),
                ref_attr_name: String::new(),
                ..given.clone()
            })
        })
        .collect();
    bound
}

fn bind_graph(
    a: &proto::Attribute,
    call: &proto::Node,
    f: &proto::Function,
    absent: &[&String],
) -> proto::Attribute {
    let mut a = a.clone();
    if let Some(g) = &mut a.g {
        g.node = g.node.iter().map(|n| bind(n, call, f, absent)).collect();
    }
    a
}
