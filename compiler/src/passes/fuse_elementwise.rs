//! Elementwise chains: an elementwise operator takes in the elementwise operators that only it uses and whose results have its
//! own shape; scalar constants become literals. The result is one `Map`.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Ex, Graph, NodeId, OpKind, ScalarExpr, Semantics, Value};

/// A chain longer than this is cut: code size and registers gain nothing beyond.
const MAX_INSTRUCTIONS: usize = 96;
const MAX_OPERANDS: usize = 12;

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        let Some(expr) = expression(graph, id) else {
            continue;
        };
        let mut fused = Fused {
            operands: Vec::new(),
            absorbed: 0,
        };
        let mut args = Vec::new();
        let mut size = expr.insts.len();
        for v in graph.node(id).inputs.iter().flatten() {
            args.push(fused.operand(graph, id, *v, &mut size));
        }
        if fused.absorbed == 0 || fused.operands.len() > MAX_OPERANDS {
            continue;
        }
        let node = graph.node(id);
        let (dtype, label) = (node.outputs[0].ty.dtype, node.label.clone());
        let map = map_op(expr.apply(&args).finish(), dtype);
        let inputs: Vec<Option<Value>> = fused.operands.iter().copied().map(Some).collect();
        if graph
            .infer(&map, &inputs, 1, "")
            .map_err(at("fuse_elementwise", graph, id))?[0]
            .shape
            != graph.node(id).outputs[0].ty.shape
        {
            // A literal or an absorbed operand alone gave the result its shape.
            continue;
        }
        let new =
            graph
                .add(map, inputs, &[""], &label)
                .map_err(at("fuse_elementwise", graph, id))?;
        graph.replace_uses(id.into(), new.into());
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// The operator that applies an expression to its operands.
pub fn map_op(expr: ScalarExpr, dtype: DType) -> Op {
    let attrs = Attrs::from([
        ("dtype".to_string(), AttrValue::DType(dtype)),
        ("expr".to_string(), AttrValue::Expr(expr)),
    ]);
    Op {
        kind: OpKind::Map,
        attrs,
        bodies: Vec::new(),
        epilogue: None,
    }
}

/// The node's expression, if it is a plain elementwise operator.
pub fn expression(graph: &Graph, id: NodeId) -> Option<ScalarExpr> {
    let node = graph.node(id);
    let op = node.op()?;
    if op.epilogue.is_some() || !op.bodies.is_empty() || node.outputs.len() != 1 {
        return None;
    }
    match graph.semantics(id) {
        // A left-out operand would shift the argument numbers.
        Ok(Semantics::Elementwise(expr)) if node.inputs.iter().all(Option::is_some) => Some(expr),
        _ => None,
    }
}

struct Fused {
    operands: Vec<Value>,
    absorbed: usize,
}

impl Fused {
    /// What stands for operand `v` of node `user`: a literal, the expression of its producer, or an argument.
    fn operand(&mut self, graph: &Graph, user: NodeId, v: Value, size: &mut usize) -> Ex {
        if let Some(literal) = literal(graph, v) {
            self.absorbed += 1;
            return literal;
        }
        let ty = graph.ty(v);
        let only_user = graph.users(v).iter().all(|(u, _)| *u == user) && !graph.is_output(v);
        if only_user
            && ty.shape == graph.node(user).outputs[0].ty.shape
            && let Some(inner) =
                expression(graph, v.node).filter(|e| e.insts.len() + *size <= MAX_INSTRUCTIONS)
        {
            *size += inner.insts.len();
            self.absorbed += 1;
            let inputs: Vec<Value> = graph
                .node(v.node)
                .inputs
                .iter()
                .copied()
                .flatten()
                .collect();
            let args: Vec<Ex> = inputs
                .into_iter()
                .map(|i| self.argument(graph, i))
                .collect();
            let value = inner.apply(&args);
            // Rounding to a half type where the value was stored stays, and is invisible to the arithmetic after it.
            return if ty.dtype.is_half() {
                value.cast(ty.dtype)
            } else {
                value
            };
        }
        self.argument(graph, v)
    }

    fn argument(&mut self, graph: &Graph, v: Value) -> Ex {
        let at = self
            .operands
            .iter()
            .position(|o| *o == v)
            .unwrap_or_else(|| {
                self.operands.push(v);
                self.operands.len() - 1
            });
        Ex::arg(at, graph.ty(v).dtype)
    }
}

/// A constant of one element as a literal.
fn literal(graph: &Graph, v: Value) -> Option<Ex> {
    let t = graph.constant(v).filter(|t| t.len() == 1)?;
    let dtype = t.dtype();
    Some(if dtype.is_float() {
        Ex::float(dtype, t.to_f64()[0])
    } else {
        Ex::int(dtype, t.to_i64()[0])
    })
}
