//! The exporter: a graph becomes an ONNX model that other tools run.
//!
//! Operators of the standard domain are written in the newest form, which is the graph's own; the model asks for the lowest opset that
//! has what they use. What ONNX has no operator for is decomposed: scalar expressions into a node an instruction, forms of old opsets
//! into what they consist of. What is left (gradients of pools and filters, fused operators) is refused by name.
//!
//! Deliberately absent: functions, and the names of dimensions of values that are neither inputs nor outputs.

mod expand;
mod expression;
mod external;
mod node;
mod scope;

pub use external::{MAX_INLINE, Separate};

use super::proto;
use cnnc_ir::schema::TypeError;
use cnnc_ir::{Graph, TensorType, Value};
use prost::Message;
use scope::Scope;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use thiserror::Error;

/// The lowest opset that is written.
pub const LOWEST_OPSET: u32 = 13;

/// Why a graph has no ONNX form.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    #[error("node '{node}' ({op}): {reason}")]
    Operator {
        node: String,
        op: &'static str,
        reason: String,
    },
    #[error("output '{name}' has the name of {what}, which ONNX does not allow")]
    Name { name: String, what: &'static str },
    #[error("{op} exists only since opset {needed}, opset {asked} was asked for")]
    Opset {
        op: &'static str,
        needed: u32,
        asked: u32,
    },
    /// A decomposition does not type-check: a bug of its operator.
    #[error("node '{node}': its parts: {source}")]
    Parts { node: String, source: TypeError },
}

/// A graph as an ONNX model. `opset` is the version of the standard operators to write; without it the lowest that has what the graph
/// uses, 13 at least.
///
/// # Errors
/// If an operator has no ONNX form, or none in that opset.
pub fn export(graph: &Graph, opset: Option<u32>) -> Result<proto::Model, ExportError> {
    let mut exporter = Exporter {
        taken: HashSet::new(),
        opset: LOWEST_OPSET,
        newest: "",
        domains: BTreeSet::new(),
    };
    let main = exporter.main(graph)?;
    if let Some(asked) = opset.filter(|&asked| asked < exporter.opset) {
        return Err(ExportError::Opset {
            op: exporter.newest,
            needed: exporter.opset,
            asked,
        });
    }
    let opset = opset.unwrap_or(exporter.opset);
    let mut opsets = BTreeMap::from([("", opset.into())]);
    opsets.extend(exporter.domains.iter().map(|&domain| (domain, 1)));
    let opset_import = opsets.into_iter().map(|(domain, version)| {
        let domain = domain.to_string();
        proto::OperatorSetId { domain, version }
    });
    Ok(proto::Model {
        ir_version: Some(ir_version(opset)),
        producer_name: "cnnc".to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        graph: Some(main),
        opset_import: opset_import.collect(),
        functions: Vec::new(),
    })
}

/// The bytes of a model's file.
pub fn to_bytes(model: &proto::Model) -> Vec<u8> {
    model.encode_to_vec()
}

/// The version of the file format that came with an opset: <https://onnx.ai/onnx/repo-docs/Versioning.html>.
fn ir_version(opset: u32) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23..=24 => 11,
        25 => 12,
        _ => 13,
    }
}

/// What all graphs of a model share.
struct Exporter {
    /// Names of values; a body may not use one again.
    taken: HashSet<String>,
    /// The lowest opset that has everything so far, and the operator that asked for it.
    opset: u32,
    newest: &'static str,
    /// Domains beside the standard one.
    domains: BTreeSet<&'static str>,
}

impl Exporter {
    /// Notes that an operator wants that opset.
    fn require(&mut self, opset: u32, op: &'static str) {
        if opset > self.opset {
            (self.opset, self.newest) = (opset, op);
        }
    }

    /// A name that no value has, made of `wish`.
    fn unique(&mut self, wish: &str) -> String {
        let mut name = wish.to_string();
        let mut n = 1;
        while name.is_empty() || !self.taken.insert(name.clone()) {
            name = format!("{wish}_{n}");
            n += 1;
        }
        name
    }

    fn main(&mut self, graph: &Graph) -> Result<proto::Graph, ExportError> {
        let graph = expand::expanded(graph)?;
        let mut scope = Scope::new(&graph);
        let mut input = Vec::new();
        for &id in graph.inputs() {
            let v = Value::from(id);
            let name = self.unique(graph.value_name(v));
            input.push(info(&name, graph.ty(v)));
            scope.places.insert(v, name);
        }
        let inputs: HashSet<String> = self.taken.clone();
        let mut names = HashSet::new();
        let (mut output, mut copied) = (Vec::new(), Vec::new());
        for (name, v) in graph.outputs() {
            if !names.insert(name) {
                let (name, what) = (name.clone(), "another one");
                return Err(ExportError::Name { name, what });
            }
            output.push(info(name, graph.ty(*v)));
            let is_free = !inputs.contains(name);
            if !is_free && scope.places.get(v) != Some(name) {
                let (name, what) = (name.clone(), "an input");
                return Err(ExportError::Name { name, what });
            }
            self.taken.insert(name.clone());
            if is_free && graph.node(v.node).op().is_some() && !scope.places.contains_key(v) {
                scope.places.insert(*v, name.clone());
            } else if is_free {
                copied.push((name.clone(), *v));
            }
        }
        self.body(&mut scope)?;
        for (name, v) in copied {
            let from = scope.places[&v].clone();
            scope.push("Identity", "", vec![from], vec![name], Vec::new());
        }
        Ok(proto::Graph {
            node: scope.nodes,
            name: graph.name.clone(),
            initializer: scope.initializers,
            input,
            output,
            sparse_initializer: Vec::new(),
        })
    }
}

/// A value as inputs and outputs are declared.
fn info(name: &str, ty: &TensorType) -> proto::ValueInfo {
    let dim = ty.shape.iter().map(|dim| match dim.fixed() {
        Some(n) => proto::Dimension {
            dim_value: Some(n as i64),
            dim_param: None,
        },
        None => proto::Dimension {
            dim_value: None,
            dim_param: Some(dim.to_string().split("<=").next().unwrap_or("").into()),
        },
    });
    let shape = proto::Shape { dim: dim.collect() };
    let tensor = proto::TensorType {
        elem_type: ty.dtype.onnx_code(),
        shape: Some(shape),
    };
    proto::ValueInfo {
        name: name.to_string(),
        r#type: Some(proto::Type {
            value: Some(proto::TypeValue::Tensor(tensor)),
        }),
    }
}
