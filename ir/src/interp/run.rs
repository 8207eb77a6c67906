//! Walking a graph: operands in, results out, each value dropped after its last use.

use super::array::Array;
use super::{EvalError, Fault, Interpreter, Precision};
use crate::class::Semantics;
use crate::graph::{Graph, Node, NodeId, NodeKind, Op, Value};
use crate::schema::{Arg, Cx};
use crate::tensor::Tensor;
use crate::types::{Dim, TensorType, element_count};
use std::collections::HashMap;
use std::rc::Rc;

/// Operands with at most this many elements are shown to operators as constants: shapes, axes, scales.
const SMALL: usize = 4096;

/// Operands of a node, `None` where left out.
pub type Operands<'a> = &'a [Option<Rc<Array>>];

/// One run: the precision and what is left of its limits.
pub struct Run {
    interpreter: Interpreter,
    work: u64,
    depth: usize,
}

impl Run {
    pub fn new(interpreter: Interpreter) -> Run {
        Run {
            interpreter,
            work: 0,
            depth: 0,
        }
    }

    pub fn precision(&self) -> Precision {
        self.interpreter.precision
    }

    /// The number of elements of a shape, if the limit allows them.
    pub fn elements(&self, shape: &[usize]) -> Result<usize, Fault> {
        let limit = self.interpreter.limits.elements;
        element_count(shape)
            .filter(|&n| n <= limit)
            .ok_or_else(|| Fault::TooLarge {
                shape: shape.to_vec(),
                limit,
            })
    }

    /// Counts scalar operations, before they are done.
    pub fn spend(&mut self, factors: &[usize]) -> Result<(), Fault> {
        let limit = self.interpreter.limits.work;
        let work = factors
            .iter()
            .fold(1u64, |n, &f| n.saturating_mul(f as u64));
        self.work = self.work.saturating_add(work).saturating_add(1);
        if self.work > limit {
            return Err(Fault::TooMuchWork { limit });
        }
        Ok(())
    }

    /// Runs a graph on named tensors.
    pub fn graph_by_name(
        &mut self,
        graph: &Graph,
        inputs: &[(&str, Tensor)],
    ) -> Result<Vec<(String, Tensor)>, EvalError> {
        let declared: Vec<&str> = graph
            .inputs()
            .iter()
            .map(|&i| graph.value_name(i.into()))
            .collect();
        if let Some((name, _)) = inputs.iter().find(|(n, _)| !declared.contains(n)) {
            return Err(EvalError::UnknownInput {
                name: name.to_string(),
            });
        }
        let mut symbols = HashMap::new();
        let mut values = Vec::with_capacity(declared.len());
        for (&id, name) in graph.inputs().iter().zip(declared) {
            let Some((_, tensor)) = inputs.iter().find(|(n, _)| *n == name) else {
                return Err(EvalError::MissingInput {
                    name: name.to_string(),
                });
            };
            self.check_input(name, graph.ty(id.into()), tensor, &mut symbols)?;
            values.push(Rc::new(Array::from_tensor(tensor)));
        }
        let outputs = self.graph(graph, values)?;
        let names = graph.outputs().iter().map(|(n, _)| n.clone());
        let tensors = outputs.iter().map(|a| a.to_tensor(self.precision()));
        Ok(names.zip(tensors).collect())
    }

    fn check_input(
        &self,
        name: &str,
        ty: &TensorType,
        tensor: &Tensor,
        symbols: &mut HashMap<std::sync::Arc<str>, usize>,
    ) -> Result<(), EvalError> {
        let floats = ty.dtype.is_float() && tensor.dtype().is_float();
        let dtype_fits =
            ty.dtype == tensor.dtype() || (floats && self.precision() == Precision::F64);
        let shape_fits = ty.rank() == tensor.shape().len()
            && ty
                .shape
                .iter()
                .zip(tensor.shape())
                .all(|(dim, &n)| match dim {
                    Dim::Fixed(d) => *d == n as u64,
                    Dim::Sym { name, upper } => {
                        upper.is_none_or(|u| n as u64 <= u)
                            && *symbols.entry(name.clone()).or_insert(n) == n
                    }
                });
        if dtype_fits && shape_fits {
            return Ok(());
        }
        Err(EvalError::Input {
            name: name.to_string(),
            expected: ty.to_string(),
            found: tensor.ty().to_string(),
        })
    }

    /// Runs a graph on values for its inputs, in their order; returns its outputs.
    pub fn graph(
        &mut self,
        graph: &Graph,
        inputs: Vec<Rc<Array>>,
    ) -> Result<Vec<Rc<Array>>, EvalError> {
        let order = live_order(graph);
        let mut uses: HashMap<Value, usize> = HashMap::new();
        let operands = order
            .iter()
            .flat_map(|&id| graph.node(id).inputs.iter().flatten());
        for v in operands.chain(graph.outputs().iter().map(|(_, v)| v)) {
            *uses.entry(*v).or_default() += 1;
        }
        let given = graph.inputs().iter().map(|&id| Value::from(id));
        let mut values: HashMap<Value, Rc<Array>> = given.zip(inputs).collect();
        for id in order {
            let node = graph.node(id);
            match &node.kind {
                NodeKind::Input if values.contains_key(&id.into()) => {}
                NodeKind::Input => {
                    return Err(EvalError::MissingInput {
                        name: node.title().to_string(),
                    });
                }
                NodeKind::Constant(t) => {
                    values.insert(id.into(), Rc::new(Array::from_tensor(t)));
                }
                NodeKind::Op(op) => {
                    let operands = take_operands(node, &mut values, &mut uses);
                    let results = self
                        .op(op, &operands, node.outputs.len(), &node.outputs[0].name)
                        .map_err(|fault| at(node.title(), op, fault))?;
                    for (slot, array) in (0..).zip(results) {
                        values.insert(Value { node: id, slot }, Rc::new(array));
                    }
                }
            }
        }
        let missing = |name: &String| EvalError::MissingInput { name: name.clone() };
        graph
            .outputs()
            .iter()
            .map(|(name, v)| values.get(v).cloned().ok_or_else(|| missing(name)))
            .collect()
    }

    /// Runs a body, one level deeper.
    pub fn body(&mut self, body: &Graph, inputs: Vec<Rc<Array>>) -> Result<Vec<Rc<Array>>, Fault> {
        let limit = self.interpreter.limits.depth;
        if self.depth == limit {
            return Err(Fault::TooDeep { limit });
        }
        if inputs.len() != body.inputs().len() {
            return Err(Fault::Invalid(format!(
                "the body '{}' has {} inputs, {} are given",
                body.name,
                body.inputs().len(),
                inputs.len()
            )));
        }
        self.depth += 1;
        let outputs = self.graph(body, inputs);
        self.depth -= 1;
        outputs.map_err(|e| Fault::Body(Box::new(e)))
    }

    /// Evaluates one operator on tensors.
    pub fn op_on_tensors(
        &mut self,
        op: &Op,
        operands: &[Option<Tensor>],
        outputs: usize,
        title: &str,
    ) -> Result<Vec<Tensor>, EvalError> {
        let operands: Vec<Option<Rc<Array>>> = operands
            .iter()
            .map(|t| t.as_ref().map(|t| Rc::new(Array::from_tensor(t))))
            .collect();
        let results = self
            .op(op, &operands, outputs, title)
            .map_err(|fault| at(title, op, fault))?;
        Ok(results
            .iter()
            .map(|a| a.to_tensor(self.precision()))
            .collect())
    }

    /// Evaluates one operator with its epilogue.
    fn op(
        &mut self,
        op: &Op,
        operands: Operands,
        outputs: usize,
        name: &str,
    ) -> Result<Vec<Array>, Fault> {
        let extra = op.epilogue.as_ref().map_or(0, |e| e.operands);
        let Some(roots) = operands.len().checked_sub(extra) else {
            return Err(Fault::Invalid(format!(
                "the epilogue has {extra} operands, the node fewer"
            )));
        };
        let (roots, extras) = operands.split_at(roots);
        let mut results = self.root(op, roots, outputs, name)?;
        results.truncate(outputs);
        if results.len() < outputs {
            return Err(Fault::Invalid(format!(
                "has {} outputs, {outputs} are asked for",
                results.len()
            )));
        }
        if let (Some(epilogue), Some(root)) = (&op.epilogue, results.first_mut()) {
            let (dtype, shape) = (epilogue.expr.dtype(), root.shape.clone());
            let first = Some(Rc::new(root.clone()));
            let args: Vec<Option<Rc<Array>>> = std::iter::once(first)
                .chain(extras.iter().cloned())
                .collect();
            *root = self.elementwise(&epilogue.expr, &args, dtype, shape)?;
        }
        Ok(results)
    }

    fn root(
        &mut self,
        op: &Op,
        operands: Operands,
        outputs: usize,
        name: &str,
    ) -> Result<Vec<Array>, Fault> {
        let types: Vec<Option<TensorType>> = operands
            .iter()
            .map(|a| {
                a.as_ref()
                    .map(|a| TensorType::new(a.dtype, a.shape.iter().copied()))
            })
            .collect();
        let values: Vec<Option<Tensor>> = operands
            .iter()
            .map(|a| {
                a.as_ref()
                    .filter(|a| a.len() <= SMALL)
                    .map(|a| a.to_tensor(Precision::F32))
            })
            .collect();
        let args: Vec<Option<Arg>> = types
            .iter()
            .zip(&values)
            .map(|(ty, value)| {
                ty.as_ref().map(|ty| Arg {
                    ty,
                    value: value.as_ref(),
                })
            })
            .collect();
        let cx = Cx {
            def: op.kind.def(),
            attrs: &op.attrs,
            inputs: &args,
            outputs,
            bodies: &op.bodies,
            name,
        };
        let types = (cx.def.infer)(&cx)?;
        let semantics = (cx.def.semantics)(&cx)?;
        self.by_class(op, &semantics, operands, &types)
    }

    /// Evaluates what an operator means. `types` are those of its outputs for these very operands: only extents that depend on
    /// data are still symbols.
    fn by_class(
        &mut self,
        op: &Op,
        semantics: &Semantics,
        operands: Operands,
        types: &[TensorType],
    ) -> Result<Vec<Array>, Fault> {
        if let Semantics::Compose(body) = semantics {
            let given = operands.iter().flatten().cloned().collect();
            let outputs = self.body(body, given)?;
            return Ok(outputs.into_iter().map(Rc::unwrap_or_clone).collect());
        }
        if let Semantics::Control(control) = semantics {
            return self.control(control, &op.bodies, operands);
        }
        let out = types
            .first()
            .ok_or_else(|| Fault::Invalid("has no outputs".into()))?;
        if let Semantics::Index(index) = semantics {
            return self.index(index, operands, out);
        }
        let shape = out
            .fixed_shape()
            .ok_or_else(|| Fault::Invalid(format!("the extents of {out} are not known")))?;
        let len = self.elements(&shape)?;
        self.spend(&[len])?;
        let result = match semantics {
            Semantics::Elementwise(expr) => self.elementwise(expr, operands, out.dtype, shape)?,
            Semantics::Reduce(r) => self.reduce(r, operand(operands, 0)?, out.dtype, shape)?,
            Semantics::Contract(c) => self.contract(c, operands, out.dtype, shape)?,
            Semantics::Window(w) => self.window(w, operand(operands, 0)?, out.dtype, shape)?,
            Semantics::WindowGradient { window, rectified } => {
                let (x, dy) = (operand(operands, 0)?, operand(operands, 1)?);
                self.window_gradient(window, *rectified, x, dy)?
            }
            Semantics::Movement(m) => self.movement(m, operands, shape)?,
            Semantics::Index(_) | Semantics::Compose(_) | Semantics::Control(_) => {
                return Err(Fault::Invalid("is evaluated elsewhere".into()));
            }
        };
        Ok(vec![result])
    }
}

/// Nodes that outputs need, operands before users.
fn live_order(graph: &Graph) -> Vec<NodeId> {
    let mut live: HashMap<NodeId, ()> = HashMap::new();
    let mut stack: Vec<NodeId> = graph.outputs().iter().map(|(_, v)| v.node).collect();
    while let Some(id) = stack.pop() {
        if live.insert(id, ()).is_none() {
            stack.extend(graph.node(id).inputs.iter().flatten().map(|v| v.node));
        }
    }
    let mut order = graph.order();
    order.retain(|id| live.contains_key(id));
    order
}

/// The operands of a node, taken out of `values` where this is their last use.
fn take_operands(
    node: &Node,
    values: &mut HashMap<Value, Rc<Array>>,
    uses: &mut HashMap<Value, usize>,
) -> Vec<Option<Rc<Array>>> {
    let mut take = |v: &Value| {
        let left = uses.get_mut(v)?;
        *left -= 1;
        if *left == 0 {
            values.remove(v)
        } else {
            values.get(v).cloned()
        }
    };
    node.inputs
        .iter()
        .map(|v| v.as_ref().and_then(&mut take))
        .collect()
}

fn at(node: &str, op: &Op, fault: Fault) -> EvalError {
    EvalError::Node {
        node: node.to_string(),
        op: op.kind.def().name,
        fault,
    }
}

/// Operand `i`, which the operator's schema requires.
pub fn operand(operands: Operands<'_>, i: usize) -> Result<&Array, Fault> {
    optional(operands, i).ok_or_else(|| Fault::Invalid(format!("operand {i} is missing")))
}

/// Operand `i`, if given.
pub fn optional(operands: Operands<'_>, i: usize) -> Option<&Array> {
    operands.get(i)?.as_deref()
}
