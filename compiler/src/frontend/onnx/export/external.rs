//! Weights in a file of their own: protobuf messages end at 2 GB.

use crate::frontend::onnx::proto::{self, EXTERNAL, Entry};
use bytes::Bytes;

/// The largest model that is written as one file, in bytes: protobuf's limit less what names and nodes may take.
pub const MAX_INLINE: usize = (1 << 31) - (64 << 20);

/// Smaller tensors stay in the model.
const SMALLEST: usize = 1 << 10;

/// Tensors begin at multiples of this, so that the file can be mapped.
const ALIGN: usize = 4096;

/// What goes into the file of weights.
#[derive(Debug, Default)]
pub struct Separate {
    /// Offset and contents.
    parts: Vec<(usize, Bytes)>,
    end: usize,
}

impl Separate {
    /// Takes the weights out of a model whose weights are more than `limit` bytes; `location` is the name of their file, beside the
    /// model's. `None` where they may stay.
    pub fn from(model: &mut proto::Model, location: &str, limit: usize) -> Option<Separate> {
        let graph = model.graph.as_mut()?;
        let size = |t: &proto::Tensor| t.raw_data.as_ref().map_or(0, Bytes::len);
        if graph.initializer.iter().map(size).sum::<usize>() <= limit {
            return None;
        }
        let mut separate = Separate::default();
        for tensor in &mut graph.initializer {
            let Some(bytes) = tensor.raw_data.take_if(|b| b.len() >= SMALLEST) else {
                continue;
            };
            let offset = separate.end.next_multiple_of(ALIGN);
            let entry = |key: &str, value: String| Entry {
                key: key.to_string(),
                value,
            };
            tensor.external_data = vec![
                entry("location", location.to_string()),
                entry("offset", offset.to_string()),
                entry("length", bytes.len().to_string()),
            ];
            tensor.data_location = EXTERNAL;
            separate.end = offset + bytes.len();
            separate.parts.push((offset, bytes));
        }
        Some(separate)
    }

    /// The file's contents.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.end);
        for (offset, bytes) in &self.parts {
            file.resize(*offset, 0);
            file.extend_from_slice(bytes);
        }
        file
    }
}
