//! One graph of the model under construction: the main one, or a body.

use crate::frontend::onnx::proto;
use cnnc_ir::{Graph, Tensor, Value};
use std::collections::HashMap;

pub struct Scope<'g> {
    pub graph: &'g Graph,
    /// The names of the graph's values in the model.
    pub places: HashMap<Value, String>,
    pub nodes: Vec<proto::Node>,
    pub initializers: Vec<proto::Tensor>,
}

impl<'g> Scope<'g> {
    pub fn new(graph: &'g Graph) -> Scope<'g> {
        Scope {
            graph,
            places: HashMap::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
        }
    }

    pub fn initializer(&mut self, name: &str, tensor: &Tensor) {
        self.initializers.push(proto::Tensor {
            name: name.to_string(),
            ..message(tensor)
        });
    }

    /// Appends a node, which gets the name of its first result.
    pub fn push(
        &mut self,
        op_type: &str,
        domain: &str,
        input: Vec<String>,
        output: Vec<String>,
        attribute: Vec<proto::Attribute>,
    ) {
        self.nodes.push(proto::Node {
            name: output.first().cloned().unwrap_or_default(),
            input,
            output,
            op_type: op_type.to_string(),
            attribute,
            domain: domain.to_string(),
            overload: String::new(),
        });
    }
}

/// A tensor as a message without a name; its elements are not copied.
pub fn message(tensor: &Tensor) -> proto::Tensor {
    proto::Tensor {
        dims: tensor.shape().iter().map(|&n| n as i64).collect(),
        data_type: tensor.dtype().onnx_code(),
        raw_data: Some(tensor.bytes().clone()),
        ..Default::default()
    }
}
