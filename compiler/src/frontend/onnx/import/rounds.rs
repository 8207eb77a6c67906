//! Loops whose body has shapes that depend on the iteration: imported round by round, where the number of rounds is known.
//!
//! Each round's body is a graph of its own in which iteration, condition and what else is constant are constants, copied into the
//! graph around it. Everything else a loop can be is left to the operator `Loop`.

use super::adapt::unsqueeze;
use super::control::{Parameter, Refusal, captures};
use super::model::Importer;
use super::node::place;
use super::scope::Scope;
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::proto;
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::Op;
use cnnc_ir::schema::TypeError;
use cnnc_ir::{DType, Graph, OpKind, Tensor, Value};

/// What the rounds so far have left: values handed on, and those of each scan output.
struct State {
    carried: Vec<Value>,
    scanned: Vec<Vec<Value>>,
}

impl Importer<'_> {
    /// The results of a loop whose body could not be imported for all rounds at once, because (problems from `before` on) it needs
    /// values; `None` where that is not the case.
    pub fn rounds(
        &mut self,
        node: &proto::Node,
        op: &Op,
        operands: &[Option<Value>],
        before: usize,
        scope: &mut Scope,
    ) -> Result<Option<Vec<Option<Value>>>, Refusal> {
        let body = node
            .attribute
            .iter()
            .find(|a| a.name == "body")
            .and_then(|a| a.g.as_ref());
        let needs = self.problems[before..]
            .iter()
            .any(|p| !p.needs_values.is_empty());
        let (OpKind::Loop, Some(body), true) = (op.kind, body, needs) else {
            return Ok(None);
        };
        let Some(trip_count) = operands.first().copied().flatten() else {
            return Ok(None);
        };
        self.problems.truncate(before);
        let rounds = self.known(node, trip_count, scope)?;
        let mut go = match operands.get(1).copied().flatten() {
            None => true,
            Some(condition) => self.known(node, condition, scope)? != 0,
        };
        let carried: Vec<Value> = operands.iter().skip(2).copied().flatten().collect();
        let scans = node.output.len().saturating_sub(carried.len());
        let mut state = State {
            carried,
            scanned: vec![Vec::new(); scans],
        };
        let captured = captures(&[body], scope)?;
        for round in 0..rounds {
            if !go {
                break;
            }
            go = self.round(node, body, round, &mut state, &captured, scope)?;
        }
        let mut results = state.carried;
        for all in &state.scanned {
            results.push(stacked(&mut scope.graph, all).map_err(|e| mistyped(node, &e))?);
        }
        Ok(Some(results.into_iter().map(Some).collect()))
    }

    /// Writes one round out; whether another may follow.
    fn round(
        &mut self,
        node: &proto::Node,
        body: &proto::Graph,
        round: i64,
        state: &mut State,
        captured: &[(String, Value)],
        scope: &mut Scope,
    ) -> Result<bool, Refusal> {
        let own = [(DType::I64, round), (DType::Bool, 1)];
        let own = own.map(|(d, v)| scope.graph.add_constant("", Tensor::scalar_i64(d, v)));
        let mut args: Vec<Value> = own
            .into_iter()
            .chain(state.carried.iter().copied())
            .collect();
        let parameters: Vec<_> = args
            .iter()
            .map(|&v| Parameter::of(&scope.graph, v))
            .collect();
        let graph = self.body(node, body, &parameters, captured, scope)?;
        let carried = state.carried.len();
        if graph.outputs().len() != 1 + carried + state.scanned.len() {
            let message = format!(
                "the body has {} outputs, the node {}: wants one more, the condition",
                graph.outputs().len(),
                node.output.len()
            );
            return Err(Some(Box::new(Problem::new(place(node), message))));
        }
        args.extend(captured.iter().map(|(_, v)| *v));
        let outputs = scope.graph.inline(&graph, &args, "", &shown(&node.name));
        let outputs = outputs.map_err(|e| mistyped(node, &e))?;
        state.carried = outputs[1..=carried].to_vec();
        for (all, &v) in state.scanned.iter_mut().zip(&outputs[carried + 1..]) {
            all.push(v);
        }
        Ok(self.known(node, outputs[0], scope)? != 0)
    }

    /// The value of a scalar that decides how often the body runs.
    fn known(&self, node: &proto::Node, v: Value, scope: &Scope) -> Result<i64, Refusal> {
        if let Some(t) = scope.graph.constant(v) {
            return Ok(t.to_i64().first().copied().unwrap_or(0));
        }
        let message = "shapes in the body depend on the iteration, so trip count and condition must be known at compile time";
        let problem = Problem::new(place(node), message);
        Err(Some(Box::new(
            problem.needs(Importer::origins(&scope.graph, v)),
        )))
    }
}

fn mistyped(node: &proto::Node, e: &TypeError) -> Refusal {
    Some(Box::new(Problem::new(place(node), e.to_string())))
}

/// What the rounds yielded, one after the other along a new first axis.
fn stacked(graph: &mut Graph, values: &[Value]) -> Result<Value, TypeError> {
    let slices = values
        .iter()
        .map(|&v| unsqueeze(graph, v, &[0]))
        .collect::<Result<Vec<_>, _>>()?;
    graph.op(
        OpKind::Concat,
        &slices,
        Attrs::from([("axis".to_string(), AttrValue::Int(0))]),
    )
}
