//! Scalar expressions: a node an instruction, with constants as scalar initialisers.

use super::node::{attribute_of, refusal};
use super::scope::Scope;
use super::{ExportError, Exporter};
use crate::frontend::onnx::proto;
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::expr::{BinaryOp, ExprOp, Inst, Literal, ScalarExpr, UnaryOp};
use cnnc_ir::graph::Node;
use cnnc_ir::types::broadcast;
use cnnc_ir::{DType, Dim, Tensor, Value};

/// What an instruction has become.
#[derive(Clone)]
struct Term {
    name: String,
    dtype: DType,
    shape: Vec<Dim>,
}

impl Exporter {
    /// Writes a Map.
    pub fn expression(&mut self, scope: &mut Scope, node: &Node) -> Result<(), ExportError> {
        let Some(AttrValue::Expr(expr)) = node.op().and_then(|op| op.attrs.get("expr")) else {
            return Err(refusal(node, "has no expression"));
        };
        let result = scope.places[&Value::from(node.id)].clone();
        let ty = node.outputs[0].ty.clone();
        let mut writer = Writer {
            exporter: self,
            scope,
            node,
            result: &result,
        };
        let mut last = writer.terms(expr)?;
        if last.shape != ty.shape {
            let shape = ty.fixed_shape();
            let shape = shape.ok_or_else(|| refusal(node, "broadcasts to a free dimension"))?;
            let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
            let shape = writer.constant(&Tensor::ints(&shape));
            last.name = writer.push("Expand", &[&last.name, &shape], &[]);
        }
        let scope = &mut *writer.scope;
        let written = scope.nodes.last_mut();
        let written = written.filter(|n| last.dtype == ty.dtype && n.output == [last.name.clone()]);
        match written {
            Some(n) => (n.name, n.output) = (result.clone(), vec![result]),
            None => {
                let to = attribute_of("to", &AttrValue::DType(ty.dtype));
                let to = to.into_iter().collect();
                scope.push("Cast", "", vec![last.name], vec![result], to);
            }
        }
        Ok(())
    }
}

struct Writer<'a, 's, 'g> {
    exporter: &'a mut Exporter,
    scope: &'s mut Scope<'g>,
    node: &'a Node,
    result: &'a str,
}

impl Writer<'_, '_, '_> {
    fn terms(&mut self, expr: &ScalarExpr) -> Result<Term, ExportError> {
        let mut terms: Vec<Term> = Vec::new();
        for inst in &expr.insts {
            let term = self.term(inst, &terms)?;
            terms.push(term);
        }
        let last = terms.pop();
        last.ok_or_else(|| refusal(self.node, "has an empty expression"))
    }

    fn term(&mut self, inst: &Inst, terms: &[Term]) -> Result<Term, ExportError> {
        let at = |k: u32| &terms[k as usize];
        let dtype = inst.dtype.compute();
        let (name, of) = match inst.op {
            ExprOp::Arg(k) => return self.argument(k as usize),
            ExprOp::Lit(literal) => {
                let tensor = match literal {
                    Literal::Float(v) => Tensor::scalar_f64(dtype, v),
                    Literal::Int(v) => Tensor::scalar_i64(dtype, v),
                };
                (self.constant(&tensor), vec![])
            }
            ExprOp::Index(axis) => return self.coordinate(axis as usize),
            ExprOp::Unary(op, a) => (self.unary(op, at(a))?, vec![at(a)]),
            ExprOp::Binary(op, a, b) => (self.binary(op, [at(a), at(b)])?, vec![at(a), at(b)]),
            ExprOp::Select(c, a, b) => {
                let of = vec![at(c), at(a), at(b)];
                let names: Vec<&str> = of.iter().map(|t| t.name.as_str()).collect();
                (self.push("Where", &names, &[]), of)
            }
            ExprOp::Cast(a) => (self.cast(&at(a).name, inst.dtype), vec![at(a)]),
            ExprOp::Bitcast(a) => {
                self.exporter.require(26, "BitCast");
                let to = [("to", AttrValue::DType(inst.dtype))];
                (self.push("BitCast", &[&at(a).name], &to), vec![at(a)])
            }
        };
        let mut shape = Vec::new();
        for term in of {
            let both = broadcast(&shape, &term.shape);
            shape = both.ok_or_else(|| refusal(self.node, "does not broadcast"))?;
        }
        Ok(Term { name, dtype, shape })
    }

    fn argument(&mut self, k: usize) -> Result<Term, ExportError> {
        let operand = self.node.inputs.get(k).copied().flatten();
        let v = operand.ok_or_else(|| refusal(self.node, "lacks an operand"))?;
        let ty = self.scope.graph.ty(v);
        let (dtype, shape) = (ty.dtype, ty.shape.clone());
        let mut name = self.scope.places[&v].clone();
        if dtype.is_half() {
            name = self.cast(&name, DType::F32);
        }
        let dtype = dtype.compute();
        Ok(Term { name, dtype, shape })
    }

    /// `0, 1, ..` along an axis of the result.
    fn coordinate(&mut self, axis: usize) -> Result<Term, ExportError> {
        let shape = &self.node.outputs[0].ty.shape;
        let extent = shape.get(axis).and_then(Dim::fixed);
        let extent = extent.ok_or_else(|| refusal(self.node, "counts along a free dimension"))?;
        let mut dims = vec![1; shape.len()];
        dims[axis] = extent as usize;
        let line: Vec<i64> = (0..extent as i64).collect();
        let line = Tensor::from_i64(DType::I64, &dims, &line);
        let name = self.constant(&line);
        Ok(Term {
            name,
            dtype: DType::I64,
            shape: line.ty().shape,
        })
    }

    fn unary(&mut self, op: UnaryOp, x: &Term) -> Result<String, ExportError> {
        let is_bool = x.dtype == DType::Bool;
        Ok(match op {
            UnaryOp::Trunc => {
                let zero = self.constant(&Tensor::scalar_f64(x.dtype, 0.0));
                let negative = self.push("Less", &[&x.name, &zero], &[]);
                let up = self.push("Ceil", &[&x.name], &[]);
                let down = self.push("Floor", &[&x.name], &[]);
                self.push("Where", &[&negative, &up, &down], &[])
            }
            UnaryOp::Not if !is_bool => self.since(18, "BitwiseNot", &[&x.name]),
            UnaryOp::IsNan => self.push("IsNaN", &[&x.name], &[]),
            UnaryOp::IsInf => self.push("IsInf", &[&x.name], &[]),
            // ONNX's names are the variants'.
            op => self.push(&format!("{op:?}"), &[&x.name], &[]),
        })
    }

    fn binary(&mut self, op: BinaryOp, [a, b]: [&Term; 2]) -> Result<String, ExportError> {
        let names = [a.name.as_str(), b.name.as_str()];
        let is_bool = a.dtype == DType::Bool;
        let is_unsigned = a.dtype.is_int() && !a.dtype.is_signed();
        let bitwise = |plain, bits| if is_bool { plain } else { bits };
        Ok(match op {
            BinaryOp::Rem => self.push("Mod", &names, &[("fmod", AttrValue::Int(1))]),
            BinaryOp::Mod if a.dtype.is_float() => {
                let quotient = self.push("Div", &names, &[]);
                let whole = self.push("Floor", &[&quotient], &[]);
                let product = self.push("Mul", &[&whole, &b.name], &[]);
                self.push("Sub", &[&a.name, &product], &[])
            }
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => {
                let name = match op {
                    BinaryOp::And => bitwise("And", "BitwiseAnd"),
                    BinaryOp::Or => bitwise("Or", "BitwiseOr"),
                    _ => bitwise("Xor", "BitwiseXor"),
                };
                self.since(if is_bool { 7 } else { 18 }, name, &names)
            }
            BinaryOp::Shl | BinaryOp::Shr if is_unsigned => {
                let left = op == BinaryOp::Shl;
                let to = if left { "LEFT" } else { "RIGHT" };
                let to = [("direction", AttrValue::Str(to.to_string()))];
                self.push("BitShift", &names, &to)
            }
            BinaryOp::Shl | BinaryOp::Shr => {
                return Err(refusal(self.node, "ONNX shifts unsigned integers only"));
            }
            BinaryOp::Eq => self.push("Equal", &names, &[]),
            BinaryOp::Lt => self.push("Less", &names, &[]),
            BinaryOp::Le => self.push("LessOrEqual", &names, &[]),
            op => self.push(&format!("{op:?}"), &names, &[]),
        })
    }

    /// A conversion; half types round, and are widened again.
    fn cast(&mut self, x: &str, dtype: DType) -> String {
        let to = |dtype| [("to", AttrValue::DType(dtype))];
        let rounded = self.push("Cast", &[x], &to(dtype));
        match dtype.is_half() {
            true => self.push("Cast", &[&rounded], &to(DType::F32)),
            false => rounded,
        }
    }

    fn since(&mut self, opset: u32, op: &'static str, inputs: &[&str]) -> String {
        self.exporter.require(opset, op);
        self.push(op, inputs, &[])
    }

    /// Appends a node; returns the name of its result.
    fn push(&mut self, op: &str, inputs: &[&str], attrs: &[(&str, AttrValue)]) -> String {
        let name = self.exporter.unique(&format!("{}.0", self.result));
        let inputs = inputs.iter().map(|s| s.to_string()).collect();
        let attrs: Vec<proto::Attribute> = attrs
            .iter()
            .filter_map(|(name, value)| attribute_of(name, value))
            .collect();
        self.scope.push(op, "", inputs, vec![name.clone()], attrs);
        name
    }

    fn constant(&mut self, tensor: &Tensor) -> String {
        let name = self.exporter.unique(&format!("{}.c", self.result));
        self.scope.initializer(&name, tensor);
        name
    }
}
