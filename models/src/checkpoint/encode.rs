//! From a checkpoint to bytes.

use super::{Checkpoint, CheckpointError, FORMAT, Progress};
use cnnc_ir::{DType, Tensor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use xxhash_rust::xxh3::Xxh3;

/// How every header begins; the hash's digits follow.
pub(super) const PREFIX: &str = r#"{"__metadata__":{"hash":""#;
/// Hexadecimal digits of the hash.
pub(super) const DIGITS: usize = 32;
/// Bytes of the header's length.
pub(super) const LENGTH: usize = 8;
/// The header's key that is no tensor.
pub(super) const METADATA: &str = "__metadata__";
/// What keys of notes begin with, lest they be taken for others.
pub(super) const NOTE: &str = "note.";

const NAMES: [(DType, &str); 13] = [
    (DType::F32, "F32"),
    (DType::F64, "F64"),
    (DType::F16, "F16"),
    (DType::BF16, "BF16"),
    (DType::I8, "I8"),
    (DType::I16, "I16"),
    (DType::I32, "I32"),
    (DType::I64, "I64"),
    (DType::U8, "U8"),
    (DType::U16, "U16"),
    (DType::U32, "U32"),
    (DType::U64, "U64"),
    (DType::Bool, "BOOL"),
];

/// What safetensors calls an element type.
fn name_of(dtype: DType) -> &'static str {
    NAMES
        .iter()
        .find(|(d, _)| *d == dtype)
        .map_or("", |(_, name)| name)
}

pub(super) fn dtype_of(name: &str) -> Option<DType> {
    NAMES
        .iter()
        .find(|(_, n)| *n == name)
        .map(|(dtype, _)| *dtype)
}

/// The hash of a file, given around its 32 digits.
pub(super) fn hash(before: &[u8], after: &[u8]) -> String {
    let mut hasher = Xxh3::new();
    hasher.update(before);
    hasher.update(&[b'0'; DIGITS]);
    hasher.update(after);
    format!("{:032x}", hasher.digest128())
}

impl Checkpoint {
    /// The bytes of the file. The same checkpoint makes the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        file(metadata(&self.progress), &self.tensors)
    }
}

/// The bytes of a file; the metadata begins with a hash of zeros.
pub(super) fn file(
    metadata: Value,
    tensors: &[(String, Tensor)],
) -> Result<Vec<u8>, CheckpointError> {
    let mut header = Map::new();
    header.insert(METADATA.to_string(), metadata);
    let (mut end, mut names) = (0, BTreeSet::new());
    for (name, tensor) in tensors {
        if name == METADATA || !names.insert(name) {
            return Err(CheckpointError::Tensor {
                name: name.clone(),
                problem: "the name is taken".to_string(),
            });
        }
        let begin = end;
        end += tensor.bytes().len();
        let entry = json!({
            "dtype": name_of(tensor.dtype()),
            "shape": tensor.shape(),
            "data_offsets": [begin, end],
        });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut file = Vec::with_capacity(LENGTH + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.bytes());
    for (_, tensor) in tensors {
        file.extend_from_slice(tensor.bytes());
    }
    let start = LENGTH + PREFIX.len();
    let hash = hash(&file[..start], &file[start + DIGITS..]);
    file[start..start + DIGITS].copy_from_slice(hash.as_bytes());
    Ok(file)
}

/// Text values only, as safetensors asks for; the hash first.
fn metadata(progress: &Progress) -> Value {
    let Progress {
        step,
        position,
        seed,
        best,
        optimizer,
        notes,
    } = progress;
    let mut entries = vec![
        ("hash".to_string(), "0".repeat(DIGITS)),
        ("format".to_string(), FORMAT.to_string()),
        ("step".to_string(), step.to_string()),
        ("epoch".to_string(), position.epoch.to_string()),
        ("batch".to_string(), position.batch.to_string()),
        ("seed".to_string(), seed.to_string()),
        ("waited".to_string(), best.waited.to_string()),
        ("optimizer".to_string(), optimizer.clone()),
    ];
    if let Some(value) = best.value {
        // The shortest decimal that reads back as the same number.
        entries.push(("best".to_string(), format!("{value:?}")));
    }
    entries.extend(
        notes
            .iter()
            .map(|(key, value)| (format!("{NOTE}{key}"), value.clone())),
    );
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key, Value::String(value)));
    Value::Object(entries.collect())
}
