//! One node: look its operator up, check it, adapt it, add it, and compute it where it is constant.

use super::MAX_NODES;
use super::adapt::adapt;
use super::gradient::is_gradient;
use super::model::{Importer, domain};
use super::scope::{Found, Scope};
use super::sequence::Yield;
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::{proto, schema_check};
use cnnc_ir::graph::Op;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::schema::{CNNC, TypeError};
use cnnc_ir::{Graph, NodeId, OpKind, Semantics, Tensor, Value};

/// Results up to this size are computed during import; what is larger the folding pass decides on.
const FOLD_BYTES: usize = 1 << 20;

impl Importer<'_> {
    pub fn nodes(&mut self, nodes: &[proto::Node], scope: &mut Scope) {
        for node in nodes {
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                if self.nodes == MAX_NODES + 1 {
                    self.problem(Problem::new("", format!("more than {MAX_NODES} nodes after functions are written out: too many, over the limit")));
                }
                return;
            }
            let results = match self.sequence(node, scope) {
                Ok(Some(Yield::Sequence(list))) => {
                    self.define_list(node, list, scope);
                    continue;
                }
                Ok(Some(Yield::Value(v))) => Ok(vec![Some(v)]),
                Ok(None) => self.node(node, scope),
                Err(problem) => Err(problem),
            };
            let results = results.unwrap_or_else(|problem| {
                if let Some(p) = problem {
                    self.problem(*p);
                }
                vec![None; node.output.len()]
            });
            self.define_outputs(node, results, scope);
        }
    }

    fn define_list(&mut self, node: &proto::Node, list: Vec<Value>, scope: &mut Scope) {
        let name = node.output.first().map_or("", String::as_str);
        if !name.is_empty() && !scope.define_sequence(name, list) {
            self.taken(node, name);
        }
    }

    fn taken(&mut self, node: &proto::Node, name: &str) {
        let message = format!(
            "output '{}' redefines a name that is already taken: duplicate definition",
            shown(name)
        );
        self.problem(Problem::new(place(node), message));
    }

    fn define_outputs(
        &mut self,
        node: &proto::Node,
        results: Vec<Option<Value>>,
        scope: &mut Scope,
    ) {
        for (i, name) in node
            .output
            .iter()
            .enumerate()
            .filter(|(_, n)| !n.is_empty())
        {
            if !scope.define(name, results.get(i).copied().flatten()) {
                self.taken(node, name);
            }
        }
    }

    /// Values of the outputs; an empty error where an operand's problem is already reported.
    fn node(
        &mut self,
        node: &proto::Node,
        scope: &mut Scope,
    ) -> Result<Vec<Option<Value>>, Option<Box<Problem>>> {
        let fail = |message: String| Some(Box::new(Problem::new(place(node), message)));
        let wanted = domain(&node.domain);
        let key = (wanted.to_string(), node.op_type.clone());
        if let Some(f) = self
            .functions
            .get(&key)
            .copied()
            .filter(|_| OpKind::find(wanted, &node.op_type).is_none())
        {
            let operands = self.operands(node, scope)?;
            return self
                .call(f, node, operands, scope)
                .map_err(|p| p.map(Box::new));
        }
        let Some(&opset) = self.opsets.get(wanted) else {
            return Err(fail(format!(
                "the domain '{}' has no opset_import",
                shown(wanted)
            )));
        };
        if is_gradient(node) {
            let operands = self.operands(node, scope)?;
            return self.gradient(node, &operands, opset, scope);
        }
        let mut op = self.checked(node, self.lookup(node, wanted, opset)?, opset)?;
        let mut def = op.kind.def();
        let mut operands = self.operands(node, scope)?;
        let before = self.problems.len();
        if let Err(problem) = self.bodies(node, &mut op, &mut operands, scope) {
            return match self.rounds(node, &op, &operands, before, scope)? {
                Some(results) => Ok(results),
                None => Err(problem),
            };
        }
        let renamed = adapt(def, opset, &mut op.attrs, &mut operands, &mut scope.graph)
            .map_err(|e| self.type_problem(node, &e, &[], scope))?;
        if let Some(kind) = renamed.and_then(|n| OpKind::find("", n)) {
            op.kind = kind;
            def = kind.def();
        }
        let types: Vec<_> = operands
            .iter()
            .map(|v| v.map(|v| scope.graph.ty(v)))
            .collect();
        schema_check::types(def, &types).map_err(fail)?;
        let names: Vec<&str> = node.output.iter().map(String::as_str).collect();
        let label = shown(&node.name);
        let id = scope
            .graph
            .add(op, operands.clone(), &names, &label)
            .map_err(|e| self.type_problem(node, &e, &operands, scope))?;
        Ok(results(scope, id).into_iter().map(Some).collect())
    }

    /// The operator with its attributes; the number of operands is checked as well.
    fn checked(
        &self,
        node: &proto::Node,
        kind: OpKind,
        opset: u32,
    ) -> Result<Op, Option<Box<Problem>>> {
        let fail = |message: String| Some(Box::new(Problem::new(place(node), message)));
        let def = kind.def();
        let attrs = schema_check::attributes(def, opset, &node.attribute, self.folder);
        let attrs = attrs.map_err(|e| {
            Some(Box::new(Problem {
                unsupported: e.contains("not supported"),
                ..Problem::new(place(node), e)
            }))
        })?;
        let present: Vec<bool> = node.input.iter().map(|n| !n.is_empty()).collect();
        schema_check::arity(def, opset, &present, node.output.len()).map_err(fail)?;
        Ok(Op {
            kind,
            attrs,
            bodies: Vec::new(),
            epilogue: None,
        })
    }

    fn lookup(
        &self,
        node: &proto::Node,
        wanted: &str,
        opset: u32,
    ) -> Result<OpKind, Option<Box<Problem>>> {
        let name = shown(&node.op_type);
        let full = if wanted.is_empty() {
            name.clone()
        } else {
            format!("{}.{name}", shown(wanted))
        };
        let kind = OpKind::find(wanted, &node.op_type).filter(|_| wanted != CNNC);
        let Some(kind) = kind else {
            let message = format!("operator {full} is unknown or not supported");
            return Err(Some(Box::new(Problem::unsupported(place(node), message))));
        };
        let def = kind.def();
        if opset < def.since || opset > def.until {
            let range = if opset < def.since {
                format!("exists only since opset {}", def.since)
            } else {
                format!("exists only until opset {}", def.until)
            };
            return Err(Some(Box::new(Problem::new(
                place(node),
                format!("operator {full} {range}, the model imports opset {opset}"),
            ))));
        }
        Ok(kind)
    }

    /// The node's operands.
    fn operands(
        &self,
        node: &proto::Node,
        scope: &Scope,
    ) -> Result<Vec<Option<Value>>, Option<Box<Problem>>> {
        node.input
            .iter()
            .map(|name| match (name.is_empty(), scope.find(name)) {
                (true, _) => Ok(None),
                (false, Found::Value(v)) => Ok(Some(v)),
                (false, Found::Poisoned) => Err(None),
                (false, Found::Sequence(_)) => Err(Some(Box::new(Problem::unsupported(
                    place(node),
                    format!("input '{}' is a sequence, which this operator does not take", shown(name)),
                )))),
                (false, Found::Unknown) => {
                    let message = format!("input '{}' is not produced by any node before it (undefined, or part of a cycle)", shown(name));
                    Err(Some(Box::new(Problem::new(place(node), message))))
                }
            })
            .collect()
    }

    fn type_problem(
        &self,
        node: &proto::Node,
        e: &TypeError,
        operands: &[Option<Value>],
        scope: &Scope,
    ) -> Option<Box<Problem>> {
        let mut p = Problem::new(place(node), e.to_string());
        match e {
            TypeError::NeedsConstant { input, .. } => {
                let origin = operands.get(*input).copied().flatten();
                p = p.needs(origin.map_or(Vec::new(), |v| Importer::origins(&scope.graph, v)));
            }
            TypeError::Unsupported { .. } => p.unsupported = true,
            _ => {}
        }
        Some(Box::new(p))
    }
}

/// The value of operand `i`, which must be a constant.
pub fn constant<'g>(
    graph: &'g Graph,
    v: Value,
    node: &proto::Node,
    i: usize,
) -> Result<&'g Tensor, Option<Box<Problem>>> {
    graph.constant(v).ok_or_else(|| {
        let problem = Problem::new(
            place(node),
            format!("input {i} must be known at compile time"),
        );
        Some(Box::new(problem.needs(Importer::origins(graph, v))))
    })
}

/// What a message calls a node.
pub fn place(node: &proto::Node) -> String {
    let name = if node.name.is_empty() {
        node.output.first().map_or("", String::as_str)
    } else {
        &node.name
    };
    format!("node '{}' ({})", shown(name), shown(&node.op_type))
}

/// The node's results: computed where they can be, unless a gradient wants to know how they depend on their operands.
fn results(scope: &mut Scope, id: NodeId) -> Vec<Value> {
    let node = scope.graph.node(id);
    let varied = node
        .inputs
        .iter()
        .flatten()
        .any(|v| scope.varied.contains(v))
        && node.outputs.iter().any(|o| o.ty.dtype.is_float());
    if !varied {
        return fold(&mut scope.graph, id);
    }
    let slots = 0..node.outputs.len() as u32;
    let results: Vec<Value> = slots.map(|slot| Value { node: id, slot }).collect();
    scope.varied.extend(&results);
    results
}

/// The node's results, computed where they are constant and small.
fn fold(graph: &mut Graph, id: NodeId) -> Vec<Value> {
    let count = graph.node(id).outputs.len() as u32;
    let results: Vec<Value> = (0..count).map(|slot| Value { node: id, slot }).collect();
    let constants = constant_results(graph, id).filter(|c| c.len() >= results.len());
    match constants {
        None => results,
        Some(constants) => constants
            .into_iter()
            .zip(&results)
            .map(|(t, v)| {
                let name = graph.value_name(*v).to_string();
                graph.add_constant(&name, t)
            })
            .collect(),
    }
}

fn constant_results(graph: &Graph, id: NodeId) -> Option<Vec<Tensor>> {
    let node = graph.node(id);
    let small = node.outputs.iter().all(|o| {
        o.ty.elements()
            .is_none_or(|n| n.saturating_mul(o.ty.dtype.size()) <= FOLD_BYTES)
    });
    let operands: Option<Vec<Option<Tensor>>> = node
        .inputs
        .iter()
        .map(|v| v.map_or(Some(None), |v| graph.constant(v).cloned().map(Some)))
        .collect();
    match operands {
        Some(operands) if small => {
            let within = operands
                .iter()
                .flatten()
                .all(|t| t.bytes().len() <= FOLD_BYTES);
            within
                .then(|| {
                    Interpreter::new(Precision::F32)
                        .eval_node(graph, id, &operands)
                        .ok()
                })
                .flatten()
        }
        // A composed operator may be constant whatever its operands are: Shape.
        _ => match graph.semantics(id) {
            Ok(Semantics::Compose(body)) => body
                .outputs()
                .iter()
                .map(|(_, v)| body.constant(*v).cloned())
                .collect(),
            _ => None,
        },
    }
}
