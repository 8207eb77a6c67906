//! From bytes to a checkpoint. Nothing is believed: the hash is compared first, then everything that the header says.

use super::encode::{DIGITS, LENGTH, METADATA, NOTE, PREFIX, dtype_of, hash};
use super::{Checkpoint, CheckpointError, FORMAT, Progress};
use crate::data::Position;
use crate::stopping::Best;
use bytes::Bytes;
use cnnc_ir::Tensor;
use serde_json::{Map, Value};
use std::str::FromStr;

impl Checkpoint {
    /// Checks the bytes of a file and takes them apart; tensors are slices of them.
    pub fn from_bytes(file: Bytes) -> Result<Checkpoint, CheckpointError> {
        let (header, data) = split(&file)?;
        if !is_sealed(&file, &header)? {
            return Err(CheckpointError::Foreign);
        }
        let header = object(&header)?;
        Ok(Checkpoint {
            progress: progress(&header)?,
            tensors: tensors(&header, &data)?,
        })
    }
}

/// The header of a safetensors file, and its data.
pub(super) fn split(file: &Bytes) -> Result<(Bytes, Bytes), CheckpointError> {
    let foreign = |what| move || CheckpointError::Container(what);
    let length = file
        .first_chunk::<LENGTH>()
        .ok_or_else(foreign("it is too short"))?;
    let rest = file.slice(LENGTH..);
    let header_len = usize::try_from(u64::from_le_bytes(*length)).ok();
    let header_len = header_len.filter(|n| *n <= rest.len());
    let header_len = header_len.ok_or_else(foreign("its header is longer than the file"))?;
    Ok((rest.slice(..header_len), rest.slice(header_len..)))
}

/// Whether the header begins with a hash, which must then be the file's.
pub(super) fn is_sealed(file: &[u8], header: &[u8]) -> Result<bool, CheckpointError> {
    let digits = header.strip_prefix(PREFIX.as_bytes());
    let Some(digits) = digits.and_then(|h| h.first_chunk::<DIGITS>()) else {
        return Ok(false);
    };
    let start = LENGTH + PREFIX.len();
    match hash(&file[..start], &file[start + DIGITS..]).as_bytes() == digits {
        true => Ok(true),
        false => Err(CheckpointError::Hash),
    }
}

pub(super) fn object(header: &[u8]) -> Result<Map<String, Value>, CheckpointError> {
    serde_json::from_slice(header).map_err(|e| CheckpointError::Header(e.to_string()))
}

fn progress(header: &Map<String, Value>) -> Result<Progress, CheckpointError> {
    let metadata = header.get(METADATA).and_then(Value::as_object);
    let metadata = metadata.ok_or_else(|| CheckpointError::Header("no metadata".to_string()))?;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let format = text("format").unwrap_or_default();
    if format != FORMAT {
        return Err(CheckpointError::Version(format.to_string()));
    }
    fn number<T: FromStr>(key: &str, text: Option<&str>) -> Result<T, CheckpointError> {
        let number = text.and_then(|t| t.parse().ok());
        number.ok_or_else(|| {
            CheckpointError::Header(format!(
                "'{key}' is '{}', expected a number",
                text.unwrap_or_default()
            ))
        })
    }
    let count = |key: &str| number::<u64>(key, text(key));
    let note = |(key, value): (&String, &Value)| {
        Some((
            key.strip_prefix(NOTE)?.to_string(),
            value.as_str()?.to_string(),
        ))
    };
    Ok(Progress {
        step: count("step")?,
        position: Position {
            epoch: count("epoch")?,
            batch: count("batch")?,
        },
        seed: count("seed")?,
        best: Best {
            value: text("best").map(|t| number("best", Some(t))).transpose()?,
            waited: count("waited")?,
        },
        optimizer: text("optimizer").unwrap_or_default().to_string(),
        notes: metadata.iter().filter_map(note).collect(),
    })
}

/// The tensors of a header whose bytes are `data`: without gaps, to the end.
pub(super) fn tensors(
    header: &Map<String, Value>,
    data: &Bytes,
) -> Result<Vec<(String, Tensor)>, CheckpointError> {
    let mut entries: Vec<(&String, &Value)> = header
        .iter()
        .filter(|(name, _)| *name != METADATA)
        .collect();
    // Other programs may name them in another order than they lie in.
    entries.sort_by_key(|(_, entry)| [0, 1].map(|i| entry["data_offsets"][i].as_u64()));
    let (mut end, mut tensors) = (0, Vec::new());
    for (name, entry) in entries {
        let (tensor, next) =
            tensor(entry, end, data).map_err(|problem| CheckpointError::Tensor {
                name: name.clone(),
                problem: problem.to_string(),
            })?;
        tensors.push((name.clone(), tensor));
        end = next;
    }
    match end == data.len() {
        true => Ok(tensors),
        false => Err(CheckpointError::Header(format!(
            "{} bytes belong to no tensor",
            data.len() - end
        ))),
    }
}

/// The tensor that begins at `begin`, and where it ends.
fn tensor(entry: &Value, begin: usize, data: &Bytes) -> Result<(Tensor, usize), &'static str> {
    let extent = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
    let extents = |key: &str| {
        entry
            .get(key)?
            .as_array()?
            .iter()
            .map(extent)
            .collect::<Option<Vec<_>>>()
    };
    let dtype = entry
        .get("dtype")
        .and_then(Value::as_str)
        .and_then(dtype_of);
    let dtype = dtype.ok_or("its element type is unknown")?;
    let shape = extents("shape").ok_or("it has no shape")?;
    let Some([first, end]) = extents("data_offsets").and_then(|o| <[usize; 2]>::try_from(o).ok())
    else {
        return Err("it has no place");
    };
    if first != begin || end < begin || end > data.len() {
        return Err("it does not lie where the one before it ends, or goes on behind the file");
    }
    let tensor = Tensor::new(dtype, shape, data.slice(begin..end));
    Ok((
        tensor.ok_or("its shape does not have as many bytes as its place")?,
        end,
    ))
}
