//! The importer: a decoded model becomes a typed graph.
//!
//! Nodes are added in the file's order, each checked against the schema, brought to the newest opset's form, typed, and, if all it
//! needs is constant, computed at once: shape arithmetic is gone before an operator that depends on it is looked at. A node that
//! cannot be imported is noted and its results are poisoned, so that every problem is reported in one go. Declared shapes of
//! anything but inputs are not looked at.

mod control;
mod functions;
mod model;
mod node;
mod scope;

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
    let file = path.display().to_string();
    let fail = |p: Problem| ImportError {
        file: file.clone(),
        problems: vec![p],
    };
    let mapped = std::fs::File::open(path).and_then(|f| {
        if !f.metadata()?.is_file() {
            return Err(std::io::Error::other("is not a regular file"));
        }
        if f.metadata()?.len() == 0 {
            Ok(Bytes::new())
        } else {
            cnnc_runtime::map_whole(&f).map(Bytes::from_owner)
        }
    });
    let bytes = mapped.map_err(|e| fail(Problem::new("", format!("cannot be read: {e}"))))?;
    import_bytes(bytes, path.parent(), options).map_err(|problems| ImportError {
        file: file.clone(),
        problems,
    })
}

/// Imports a model from memory; `folder` is where external data may lie.
pub fn import_bytes(
    bytes: Bytes,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Imported, Vec<Problem>> {
    if bytes.is_empty() {
        return Err(vec![Problem::new(
            "",
            "the file is empty: not an ONNX model",
        )]);
    }
    let lfs = bytes.starts_with(b"version https://git-lfs");
    let decoded = proto::Model::decode(bytes).map_err(|e| {
        let hint = if lfs {
            "it is a Git LFS pointer: fetch the file itself"
        } else {
            "the file may be truncated or corrupt"
        };
        vec![
            Problem::new(
                "",
                format!("is not an ONNX model: protobuf cannot decode it: {e}"),
            )
            .remedy(hint),
        ]
    })?;
    model::import(&decoded, folder, options)
}
