//! The gradient of a ReLU joins the gradient of the maximum pool behind it: the pool's operand tells both. Zeros may
//! change their sign.

use super::fuse_elementwise::expression;
use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::{Ex, Graph, NodeId, OpKind, ScalarExpr, Value};

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        let Some(gradient) = masked(graph, id) else {
            continue;
        };
        let node = graph.node(gradient.node).clone();
        let Some(mut op) = node.op().cloned() else {
            continue;
        };
        op.attrs.insert("rectified".to_string(), AttrValue::Int(1));
        let new = graph.add(op, node.inputs.clone(), &[""], &node.label);
        let new = new.map_err(at("fuse_rectifiers", graph, id))?;
        graph.replace_uses(id.into(), new.into());
        changes += 1;
    }
    graph.sweep();
    Ok(changes)
}

/// The pool's gradient that a node masks by the sign of what was pooled, if that is all it does and nobody else reads it.
fn masked(graph: &Graph, id: NodeId) -> Option<Value> {
    let expr = expression(graph, id)?;
    let &[Some(a), Some(b)] = &graph.node(id).inputs[..] else {
        return None;
    };
    let mut orders = [(a, b, [0, 1]), (b, a, [1, 0])].into_iter();
    orders.find_map(|(pooled, gradient, args)| {
        let node = graph.node(gradient.node);
        let is_own = node.op_kind() == Some(OpKind::MaxPoolGradient)
            && node.inputs[0] == Some(pooled)
            && !graph.is_output(gradient)
            && graph.users(gradient).iter().all(|(user, _)| *user == id)
            && expr == mask(graph, [pooled, gradient], args);
        is_own.then_some(gradient)
    })
}

/// `(0 < pooled ? 1 : 0) * gradient`, as autodiff writes it.
fn mask(graph: &Graph, values: [Value; 2], args: [usize; 2]) -> ScalarExpr {
    let arg = |k: usize| Ex::arg(args[k], graph.ty(values[k]).dtype);
    let [x, dy] = [0, 1].map(arg);
    let slope = x.lit(0.0).lt(&x).select(&x.lit(1.0), &x.lit(0.0));
    (slope * dy).finish()
}
