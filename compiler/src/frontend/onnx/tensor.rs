//! TensorProto to [`Tensor`]: every claim of the message is checked against the bytes that are there.

use super::external;
use super::problem::shown;
use super::proto::{self, EXTERNAL};
use bytes::Bytes;
use cnnc_ir::types::element_count;
use cnnc_ir::{DType, Tensor};
use prost::Message;
use std::path::Path;

/// A tensor; `folder` is where its external data may lie.
pub fn tensor(t: &proto::Tensor, folder: Option<&Path>) -> Result<Tensor, String> {
    let at = |e: String| format!("tensor '{}': {e}", shown(&t.name));
    decode(t, folder).map_err(at)
}

fn decode(t: &proto::Tensor, folder: Option<&Path>) -> Result<Tensor, String> {
    let dtype = dtype(t.data_type)?;
    let shape: Vec<usize> = t
        .dims
        .iter()
        .map(|&d| usize::try_from(d).map_err(|_| format!("dimension {d} is negative: not a shape")))
        .collect::<Result<_, _>>()?;
    let elements = element_count(&shape).ok_or("the shape's element count overflows: too large")?;
    let bytes = elements
        .checked_mul(dtype.size())
        .ok_or("the size in bytes overflows: too large")?;
    if t.segment.is_some() {
        return Err("data in segments is not supported".to_string());
    }
    let typed = [
        t.float_data.len(),
        t.int32_data.len(),
        t.int64_data.len(),
        t.double_data.len(),
        t.uint64_data.len(),
        t.string_data.len(),
    ];
    let fields = typed.iter().filter(|n| **n > 0).count()
        + usize::from(t.raw_data.as_ref().is_some_and(|r| !r.is_empty()));
    let data = if t.data_location == EXTERNAL {
        if fields > 0 {
            return Err("both external data and inline data (raw_data) are given".to_string());
        }
        external::read(&t.external_data, folder, bytes)?
    } else {
        if fields > 1 {
            return Err("both raw_data and typed data are given".to_string());
        }
        inline(t, dtype, elements)?
    };
    if data.len() != bytes {
        return Err(format!(
            "has {} bytes of data, its shape {shape:?} of {dtype} asks for {bytes}",
            data.len()
        ));
    }
    Tensor::new(dtype, shape, data).ok_or_else(|| "the data does not match the shape".to_string())
}

/// The element type of that ONNX code.
pub fn dtype(code: i32) -> Result<DType, String> {
    DType::from_onnx_code(code.into()).ok_or_else(|| match code {
        0 => "the element type is undefined".to_string(),
        8 => "strings are not supported (element type 8)".to_string(),
        14 | 15 => format!("complex numbers are not supported (element type {code})"),
        17..=30 => format!(
            "element type {code} (float8, float4 or an integer below 8 bits) is not supported"
        ),
        _ => format!("element type {code} is unknown: invalid dtype"),
    })
}

fn inline(t: &proto::Tensor, dtype: DType, elements: usize) -> Result<Bytes, String> {
    if let Some(raw) = t.raw_data.as_ref().filter(|r| !r.is_empty()) {
        return Ok(raw.clone());
    }
    let wrong = |field: &str, found: usize| {
        format!("has {found} elements in {field}, its shape asks for {elements}")
    };
    macro_rules! take {
        ($field:ident, $name:literal, |$v:ident| $bytes:expr) => {{
            if t.$field.len() != elements {
                return Err(wrong($name, t.$field.len()));
            }
            t.$field.iter().flat_map(|&$v| $bytes).collect::<Vec<u8>>()
        }};
    }
    Ok(Bytes::from(match dtype {
        DType::F32 => take!(float_data, "float_data", |v| v.to_le_bytes()),
        DType::F64 => take!(double_data, "double_data", |v| v.to_le_bytes()),
        DType::I64 => take!(int64_data, "int64_data", |v| v.to_le_bytes()),
        DType::U64 | DType::U32 => take!(uint64_data, "uint64_data", |v| v
            .to_le_bytes()
            .into_iter()
            .take(dtype.size())),
        DType::Bool => take!(int32_data, "int32_data", |v| [u8::from(v != 0)]),
        _ => take!(int32_data, "int32_data", |v| v
            .to_le_bytes()
            .into_iter()
            .take(dtype.size())),
    }))
}

/// The tensor in a `.pb` file.
pub fn tensor_from_file(path: &Path) -> Result<Tensor, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let message = proto::Tensor::decode(Bytes::from(bytes))
        .map_err(|e| format!("is not a TensorProto: {e}"))?;
    tensor(&message, path.parent())
}
