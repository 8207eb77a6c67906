//! Writing an operator as a graph of simpler ones ([`Semantics::Compose`]).

use crate::attrs::{AttrValue, Attrs};
use crate::class::Semantics;
use crate::expr::Ex;
use crate::graph::{Graph, Op, Value};
use crate::ops::OpKind;
use crate::schema::{Cx, TypeError};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

/// A body under construction. Its inputs are the node's given operands in order.
pub struct Composer {
    graph: Graph,
    inputs: Vec<Option<Value>>,
}

impl Composer {
    pub fn new(cx: &Cx) -> Composer {
        let mut graph = Graph::new(cx.def.name);
        let inputs = cx
            .inputs
            .iter()
            .enumerate()
            .map(|(i, a)| a.map(|a| graph.add_input(&format!("x{i}"), a.ty.clone())))
            .collect();
        Composer { graph, inputs }
    }

    /// Continues a graph that exists; [`Composer::into_graph`] gives it back.
    pub fn over(graph: Graph) -> Composer {
        Composer {
            graph,
            inputs: Vec::new(),
        }
    }

    /// The graph as it stands.
    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// Operand `i` of the node, if given.
    pub fn get(&self, i: usize) -> Option<Value> {
        self.inputs.get(i).copied().flatten()
    }
    /// Operand `i` of the node; call only where `infer` made sure that it is there.
    pub fn arg(&self, i: usize) -> Value {
        self.get(i).expect("a required operand")
    }
    pub fn ty(&self, v: Value) -> &TensorType {
        self.graph.ty(v)
    }
    pub fn constant(&mut self, t: Tensor) -> Value {
        self.graph.add_constant("", t)
    }
    /// A one-dimensional i64 constant: axes, shapes.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        self.constant(Tensor::ints(values))
    }
    /// A scalar constant of that type.
    pub fn scalar(&mut self, dtype: DType, value: f64) -> Value {
        self.constant(Tensor::scalar_f64(dtype, value))
    }
    /// Adds an operator with one output.
    pub fn op(&mut self, kind: OpKind, inputs: &[Value]) -> Result<Value, TypeError> {
        self.with(kind, inputs, [])
    }
    /// Adds an operator with attributes and one output.
    pub fn with<const N: usize>(
        &mut self,
        kind: OpKind,
        inputs: &[Value],
        attrs: [(&str, AttrValue); N],
    ) -> Result<Value, TypeError> {
        self.graph.op(
            kind,
            inputs,
            attrs.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
        )
    }
    /// `expr` of the operands, which broadcast; the result has the expression's type.
    pub fn map(&mut self, expr: &Ex, operands: &[Value]) -> Result<Value, TypeError> {
        self.with(
            OpKind::Map,
            operands,
            [
                ("dtype", AttrValue::DType(expr.dtype())),
                ("expr", AttrValue::Expr(expr.finish())),
            ],
        )
    }
    /// Adds an operator with optional operands and several outputs; returns them.
    pub fn multi(
        &mut self,
        kind: OpKind,
        inputs: Vec<Option<Value>>,
        attrs: Attrs,
        outputs: usize,
    ) -> Result<Vec<Value>, TypeError> {
        let op = Op {
            kind,
            attrs,
            bodies: Vec::new(),
            epilogue: None,
        };
        let node = self.graph.add(op, inputs, &vec![""; outputs], "")?;
        Ok((0..outputs as u32)
            .map(|slot| Value { node, slot })
            .collect())
    }
    /// Labels the operators added from the id `first` on that have no label.
    pub fn label_since(&mut self, first: u32, label: &str) {
        self.graph.label_since(first, label);
    }
    /// Makes all uses of one value uses of another.
    pub fn replace(&mut self, old: Value, new: Value) {
        self.graph.replace_uses(old, new);
    }
    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// Copies a graph into the body; its inputs become `args`. Returns its outputs.
    pub fn inline(&mut self, body: &Graph, args: &[Value]) -> Result<Vec<Value>, TypeError> {
        self.graph.inline(body, args, "", "")
    }
    /// Reduces over `axes`, which stay as extents of 1 where `keepdims`.
    pub fn reduce(
        &mut self,
        kind: OpKind,
        x: Value,
        axes: &[i64],
        keepdims: bool,
    ) -> Result<Value, TypeError> {
        let axes = self.ints(axes);
        self.with(
            kind,
            &[x, axes],
            [("keepdims", AttrValue::Int(keepdims.into()))],
        )
    }
    /// The value under another element type; itself where it has that type.
    pub fn cast(&mut self, x: Value, dtype: DType) -> Result<Value, TypeError> {
        if self.ty(x).dtype == dtype {
            return Ok(x);
        }
        self.with(OpKind::Cast, &[x], [("to", AttrValue::DType(dtype))])
    }
    /// The same elements under another shape.
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value, TypeError> {
        let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let shape = self.ints(&dims);
        self.with(
            OpKind::Reshape,
            &[x, shape],
            [("allowzero", AttrValue::Int(1))],
        )
    }
    pub fn transpose(&mut self, x: Value, perm: &[usize]) -> Result<Value, TypeError> {
        self.with(
            OpKind::Transpose,
            &[x],
            [(
                "perm",
                AttrValue::Ints(perm.iter().map(|&p| p as i64).collect()),
            )],
        )
    }
    /// Broadcasts to that shape.
    pub fn expand(&mut self, x: Value, shape: &[usize]) -> Result<Value, TypeError> {
        let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let shape = self.ints(&dims);
        self.op(OpKind::Expand, &[x, shape])
    }
    /// The elements `start..end` along `axis`.
    pub fn slice(
        &mut self,
        x: Value,
        axis: usize,
        start: i64,
        end: i64,
    ) -> Result<Value, TypeError> {
        let bounds = [start, end, axis as i64].map(|v| self.ints(&[v]));
        self.op(OpKind::Slice, &[x, bounds[0], bounds[1], bounds[2]])
    }
    pub fn concat(&mut self, parts: &[Value], axis: usize) -> Result<Value, TypeError> {
        self.with(
            OpKind::Concat,
            parts,
            [("axis", AttrValue::Int(axis as i64))],
        )
    }
    /// Elements `table` along `axis`.
    pub fn select(&mut self, x: Value, axis: usize, table: &[i64]) -> Result<Value, TypeError> {
        let table = self.ints(table);
        self.with(
            OpKind::Gather,
            &[x, table],
            [("axis", AttrValue::Int(axis as i64))],
        )
    }
    /// `0..n` (i64) along `axis` of a shape of `rank` axes, the others 1.
    pub fn iota(&mut self, n: usize, axis: usize, rank: usize) -> Result<Value, TypeError> {
        let [start, limit, step] =
            [0, n as i64, 1].map(|v| self.constant(Tensor::scalar_i64(DType::I64, v)));
        let line = self.op(OpKind::Range, &[start, limit, step])?;
        let mut shape = vec![1; rank];
        shape[axis] = n;
        self.reshape(line, &shape)
    }
    /// The finished meaning: `outputs` are the node's outputs in order.
    pub fn finish(mut self, outputs: &[Value]) -> Result<Semantics, TypeError> {
        for (i, &v) in outputs.iter().enumerate() {
            self.graph.add_output(&format!("y{i}"), v);
        }
        Ok(Semantics::Compose(Box::new(self.graph)))
    }
}
