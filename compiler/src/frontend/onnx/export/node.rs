//! Nodes, bodies and attributes.

use super::scope::{Scope, message};
use super::{ExportError, Exporter, expand};
use crate::frontend::onnx::proto::{self, attribute_type as kind};
use cnnc_ir::attrs::{AttrKind, AttrValue};
use cnnc_ir::graph::{Node, Op};
use cnnc_ir::schema::{Arity, Attr, CNNC, OpDef, Preset};
use cnnc_ir::{DType, Graph, NodeKind, OpKind, Value};

/// Operators whose meaning, not only their form, changed: the opset from which on they mean what the graph does.
const CHANGED: [(OpKind, u32); 4] = [
    (OpKind::DFT, 20),
    (OpKind::GroupNormalization, 21),
    (OpKind::RoiAlign, 16),
    (OpKind::Scan, 9),
];

/// The opset since which operators take bfloat16 throughout.
const BFLOAT16: u32 = 22;

impl Exporter {
    /// Writes all nodes of a graph.
    pub fn body(&mut self, scope: &mut Scope) -> Result<(), ExportError> {
        let graph = scope.graph;
        let order = graph.order();
        for &id in &order {
            for (slot, output) in graph.node(id).outputs.iter().enumerate() {
                let v = Value {
                    node: id,
                    slot: slot as u32,
                };
                let place = scope.places.entry(v);
                place.or_insert_with(|| self.unique(&output.name));
                if output.ty.dtype == DType::BF16 {
                    self.require(BFLOAT16, "bfloat16");
                }
            }
        }
        for id in order {
            let node = graph.node(id);
            match &node.kind {
                NodeKind::Input => {}
                NodeKind::Constant(tensor) => {
                    let name = scope.places[&Value::from(id)].clone();
                    scope.initializer(&name, tensor);
                }
                NodeKind::Op(op) => self.operator(scope, node, op)?,
            }
        }
        Ok(())
    }

    fn operator(&mut self, scope: &mut Scope, node: &Node, op: &Op) -> Result<(), ExportError> {
        let def = op.kind.def();
        let refuse = |reason: &str| refusal(node, reason);
        if op.epilogue.is_some() {
            return Err(refuse("operators are exported before they are fused"));
        }
        if op.kind == OpKind::Map {
            return self.expression(scope, node);
        }
        if def.domain == CNNC {
            return Err(refuse("ONNX has no such operator"));
        }
        self.opset_of(node, op);
        if !def.domain.is_empty() {
            self.domains.insert(def.domain);
        }
        let (bodies, own) = self.bodies(scope, node, op)?;
        let place = |v: &Option<Value>| v.map_or(String::new(), |v| scope.places[&v].clone());
        let mut input: Vec<String> = node.inputs[..own].iter().map(place).collect();
        while input.last().is_some_and(String::is_empty) {
            input.pop();
        }
        let output = results(scope, node);
        let mut attribute = bodies;
        for (name, value) in &op.attrs {
            if is_written(def, name, value) {
                let value = attribute_of(name, value);
                attribute.push(value.ok_or_else(|| refuse(&format!("attribute {name}")))?);
            }
        }
        scope.push(def.name, def.domain, input, output, attribute);
        Ok(())
    }

    /// Notes the opset that has the operator with what is given to it.
    fn opset_of(&mut self, node: &Node, op: &Op) {
        let def = op.kind.def();
        if !def.domain.is_empty() {
            return;
        }
        let inputs = node.inputs.iter().zip(def.inputs);
        let inputs = inputs.filter(|(v, _)| v.is_some()).map(|(_, i)| i.since);
        let attrs = op.attrs.iter().filter(|(n, v)| is_written(def, n, v));
        let attrs = attrs.filter_map(|(name, _)| declared(def, name).map(|a| a.since));
        let changed = CHANGED.iter().filter(|(kind, _)| *kind == op.kind);
        let all = [def.since].into_iter().chain(inputs).chain(attrs);
        let needed = all.chain(changed.map(|(_, since)| *since)).max();
        self.require(needed.unwrap_or(1), def.name);
    }

    /// The bodies as attributes, and the number of the node's own operands: those behind are what the bodies capture.
    fn bodies(
        &mut self,
        scope: &Scope,
        node: &Node,
        op: &Op,
    ) -> Result<(Vec<proto::Attribute>, usize), ExportError> {
        let given = node.inputs.len();
        if op.bodies.is_empty() {
            return Ok((Vec::new(), given));
        }
        let int = |name: &str| match op.attrs.get(name) {
            Some(AttrValue::Int(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        let carried = |scans: usize| int("carried").unwrap_or(given - scans);
        // Operands before the captured ones, and inputs of the body before those.
        let (own, parameters) = match op.kind {
            OpKind::Loop => (2 + carried(2), 2 + carried(2)),
            OpKind::Scan => {
                let scans = int("num_scan_inputs").unwrap_or(0);
                let own = scans + carried(scans);
                (own, own)
            }
            OpKind::If => (1, 0),
            _ => return Err(refusal(node, "its bodies cannot be exported")),
        };
        let captured = node.inputs.get(own..).unwrap_or(&[]);
        let names = op.kind.def().attrs.iter();
        let names = names.filter(|a| a.kind == AttrKind::Graph).map(|a| a.name);
        let mut attributes = Vec::new();
        for (name, body) in names.zip(&op.bodies) {
            let graph = self.inner(scope, body, parameters, captured)?;
            attributes.push(proto::Attribute {
                name: name.to_string(),
                g: Some(graph),
                kind: kind::GRAPH,
                ..Default::default()
            });
        }
        Ok((attributes, own.min(given)))
    }

    /// A body: its first inputs are its own, the others stand for values around it.
    fn inner(
        &mut self,
        outer: &Scope,
        body: &Graph,
        parameters: usize,
        captured: &[Option<Value>],
    ) -> Result<proto::Graph, ExportError> {
        let body = expand::expanded(body)?;
        let mut scope = Scope::new(&body);
        let mut input = Vec::new();
        for (k, &id) in body.inputs().iter().enumerate() {
            let v = Value::from(id);
            let around = k.checked_sub(parameters).and_then(|k| *captured.get(k)?);
            let name = match around {
                Some(v) => outer.places[&v].clone(),
                None => self.unique(body.value_name(v)),
            };
            if around.is_none() {
                input.push(super::info(&name, body.ty(v)));
            }
            scope.places.insert(v, name);
        }
        self.body(&mut scope)?;
        let mut output = Vec::new();
        for (name, v) in body.outputs() {
            // A result of its own, whatever it is: an input, a constant, a value around the body, another result.
            let (from, name) = (scope.places[v].clone(), self.unique(name));
            output.push(super::info(&name, body.ty(*v)));
            scope.push("Identity", "", vec![from], vec![name], Vec::new());
        }
        Ok(proto::Graph {
            node: scope.nodes,
            name: self.unique(&body.name),
            initializer: scope.initializers,
            input,
            output,
            sparse_initializer: Vec::new(),
        })
    }
}

pub fn refusal(node: &Node, reason: &str) -> ExportError {
    ExportError::Operator {
        node: node.title().to_string(),
        op: node.op_kind().map_or("", |kind| kind.def().name),
        reason: reason.to_string(),
    }
}

/// Names of the results; of optional ones that nobody wants none.
fn results(scope: &Scope, node: &Node) -> Vec<String> {
    let declared = node.op_kind().map_or(&[][..], |kind| kind.def().outputs);
    let mut names: Vec<String> = Vec::new();
    for slot in 0..node.outputs.len() {
        let v = Value {
            node: node.id,
            slot: slot as u32,
        };
        let is_optional = declared.get(slot).map(|o| o.arity) == Some(Arity::Optional);
        let is_wanted = !scope.graph.users(v).is_empty() || scope.graph.is_output(v);
        names.push(match is_optional && !is_wanted {
            true => String::new(),
            false => scope.places[&v].clone(),
        });
    }
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    names
}

/// The attribute's declaration for the newest opset.
fn declared(def: &'static OpDef, name: &str) -> Option<&'static Attr> {
    let mut declared = def.attrs.iter();
    declared.find(|a| a.name == name && a.until == u32::MAX && a.since != u32::MAX)
}

/// Whether an attribute says something: it is one of ONNX's, and not what it is by default.
fn is_written(def: &'static OpDef, name: &str, value: &AttrValue) -> bool {
    let is_ours = name == "carried" || name == "batched";
    let Some(attr) = declared(def, name).filter(|_| !is_ours) else {
        return false;
    };
    !match (attr.default, value) {
        (Preset::Int(a), AttrValue::Int(b)) => a == *b,
        (Preset::Float(a), AttrValue::Float(b)) => a == *b,
        (Preset::Str(a), AttrValue::Str(b)) => a == b,
        (Preset::Ints(a), AttrValue::Ints(b)) => a == b,
        (Preset::DType(a), AttrValue::DType(b)) => a == *b,
        _ => false,
    }
}

/// An attribute as a message; `None` for what ONNX has no kind for.
pub fn attribute_of(name: &str, value: &AttrValue) -> Option<proto::Attribute> {
    let mut a = proto::Attribute {
        name: name.to_string(),
        ..Default::default()
    };
    a.kind = match value {
        AttrValue::Int(v) => {
            a.i = Some(*v);
            kind::INT
        }
        AttrValue::DType(v) => {
            a.i = Some(v.onnx_code().into());
            kind::INT
        }
        AttrValue::Float(v) => {
            a.f = Some(*v as f32);
            kind::FLOAT
        }
        AttrValue::Str(v) => {
            a.s = Some(v.clone().into());
            kind::STRING
        }
        AttrValue::Ints(v) => {
            a.ints = v.clone();
            kind::INTS
        }
        AttrValue::Floats(v) => {
            a.floats = v.iter().map(|&v| v as f32).collect();
            kind::FLOATS
        }
        AttrValue::Strs(v) => {
            a.strings = v.iter().map(|v| v.clone().into()).collect();
            kind::STRINGS
        }
        AttrValue::Tensor(t) => {
            a.t = Some(message(t));
            kind::TENSOR
        }
        AttrValue::Expr(_) => return None,
    };
    Some(a)
}
