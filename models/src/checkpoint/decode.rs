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
        let foreign = |what| move || CheckpointError::Foreign(what);
        let length = file
            .first_chunk::<LENGTH>()
            .ok_or_else(foreign("it is too short"))?;
        let rest = &file[LENGTH..];
        let header_len = usize::try_from(u64::from_le_bytes(*length)).ok();
        let header_len = header_len.filter(|n| *n <= rest.len());
        let header_len = header_len.ok_or_else(foreign("its header is longer than the file"))?;
        let (header, _) = rest.split_at(header_len);
        let digits = header
            .strip_prefix(PREFIX.as_bytes())
            .and_then(|h| h.first_chunk::<DIGITS>())
            .ok_or_else(foreign("its header does not begin with a hash"))?;
        let start = LENGTH + PREFIX.len();
        if hash(&file[..start], &file[start + DIGITS..]).as_bytes() != digits {
            return Err(CheckpointError::Hash);
        }
        let header: Map<String, Value> =
            serde_json::from_slice(header).map_err(|e| CheckpointError::Header(e.to_string()))?;
        Ok(Checkpoint {
            progress: progress(&header)?,
            tensors: tensors(&header, &file.slice(LENGTH + header_len..))?,
        })
    }
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

/// The tensors of a header whose bytes are `data`: in order, without gaps, to the end.
fn tensors(
    header: &Map<String, Value>,
    data: &Bytes,
) -> Result<Vec<(String, Tensor)>, CheckpointError> {
    let (mut end, mut tensors) = (0, Vec::new());
    for (name, entry) in header.iter().filter(|(name, _)| *name != METADATA) {
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
