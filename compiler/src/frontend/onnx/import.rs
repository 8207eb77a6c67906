//! The importer: a decoded model becomes a typed graph.
//!
//! Nodes are added in the file's order, each checked against the schema, brought to the newest opset's form, typed, and, if all it
//! needs is constant, computed at once: shape arithmetic is gone before an operator that depends on it is looked at. A node that
//! cannot be imported is noted and its results are poisoned, so that every problem is reported in one go. Declared shapes of
//! anything but inputs are not looked at.

mod adapt;
mod control;
mod functions;
mod gradient;
mod model;
mod node;
mod rounds;
mod scope;
mod sequence;

use super::problem::{ImportError, Problem};
use super::proto;
use bytes::Bytes;
use cnnc_ir::{Graph, Tensor};
use prost::Message;
use std::collections::BTreeMap;
use std::path::Path;

/// What the user says about the inputs.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Shapes that fix symbolic dimensions.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Inputs that become constants.
    pub values: BTreeMap<String, Tensor>,
    /// Free dimensions stay so, as symbols, where nothing is said about them. Many operators want to know them.
    pub free: bool,
}

/// An imported model.
#[derive(Debug)]
pub struct Imported {
    pub graph: Graph,
    /// Things the user should know: dimensions that were assumed.
    pub notes: Vec<String>,
}

/// Limit on nodes after functions and loops are written out.
const MAX_NODES: usize = 400_000;

/// Imports a model file. Weights are slices of the mapped file.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    let fail = |problems| ImportError {
        file: path.display().to_string(),
        problems,
    };
    let bytes = map(path).map_err(|p| fail(vec![p]))?;
    import_bytes(bytes, path.parent(), options).map_err(fail)
}

/// Names of the inputs that are not initialisers, in the file's order.
pub fn input_names(path: &Path) -> Result<Vec<String>, ImportError> {
    Ok(inputs(path)?.into_iter().map(|info| info.name).collect())
}

/// An input's name and its extents, `None` for a free one.
pub type InputDims = (String, Vec<Option<u64>>);

/// Those inputs with the extents that the file declares; none where it declares no shape.
pub fn input_dims(path: &Path) -> Result<Vec<InputDims>, ImportError> {
    let dims = |info: proto::ValueInfo| {
        let value = info.r#type.and_then(|t| t.value);
        let shape = match value {
            Some(proto::TypeValue::Tensor(tensor)) => tensor.shape.unwrap_or_default(),
            _ => proto::Shape::default(),
        };
        let extent = |d: &proto::Dimension| d.dim_value.and_then(|n| n.try_into().ok());
        (info.name, shape.dim.iter().map(extent).collect())
    };
    Ok(inputs(path)?.into_iter().map(dims).collect())
}

fn inputs(path: &Path) -> Result<Vec<proto::ValueInfo>, ImportError> {
    let fail = |p: Problem| ImportError {
        file: path.display().to_string(),
        problems: vec![p],
    };
    let model = decode(map(path).map_err(fail)?).map_err(fail)?;
    let mut graph = model
        .graph
        .ok_or_else(|| fail(Problem::new("", "the model has no graph")))?;
    let default = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let is_input: Vec<bool> = graph.input.iter().map(|i| !default(&i.name)).collect();
    let mut is_input = is_input.into_iter();
    graph.input.retain(|_| is_input.next() == Some(true));
    Ok(graph.input)
}

fn map(path: &Path) -> Result<Bytes, Problem> {
    let mapped = std::fs::File::open(path).and_then(|f| {
        let metadata = f.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("is not a regular file"));
        }
        if metadata.len() == 0 {
            Ok(Bytes::new())
        } else {
            cnnc_runtime::map_whole(&f).map(Bytes::from_owner)
        }
    });
    mapped.map_err(|e| Problem::new("", format!("cannot be read: {e}")))
}

fn decode(bytes: Bytes) -> Result<proto::Model, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new("", "the file is empty: not an ONNX model"));
    }
    let lfs = bytes.starts_with(b"version https://git-lfs");
    proto::Model::decode(bytes).map_err(|e| {
        let hint = if lfs {
            "it is a Git LFS pointer: fetch the file itself"
        } else {
            "the file may be truncated or corrupt"
        };
        Problem::new(
            "",
            format!("is not an ONNX model: protobuf cannot decode it: {e}"),
        )
        .remedy(hint)
    })
}

/// Imports a model from memory; `folder` is where external data may lie.
pub fn import_bytes(
    bytes: Bytes,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Imported, Vec<Problem>> {
    let decoded = decode(bytes).map_err(|p| vec![p])?;
    model::import(&decoded, folder, options)
}

#[cfg(test)]
mod tests;
