//! A constant tensor: element type, shape and bytes that may be a slice of a mapped file.

use crate::types::{DType, TensorType, element_count};
use bytes::Bytes;
use half::{bf16, f16};
use std::fmt;

/// Dense row-major data in little-endian bytes. Cloning shares the bytes.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    data: Bytes,
}

impl Tensor {
    /// `None` where the bytes do not match the shape.
    pub fn new(dtype: DType, shape: Vec<usize>, data: Bytes) -> Option<Tensor> {
        let bytes = element_count(&shape)?.checked_mul(dtype.size())?;
        (bytes == data.len()).then_some(Tensor { dtype, shape, data })
    }

    /// From f64 values, rounded to `dtype` (integers saturate, NaN becomes 0). Panics where the counts differ.
    pub fn from_f64(dtype: DType, shape: &[usize], values: &[f64]) -> Tensor {
        let mut data = Vec::with_capacity(values.len() * dtype.size());
        for &v in values {
            push_f64(&mut data, dtype, v);
        }
        Tensor::new(dtype, shape.to_vec(), data.into())
            .expect("as many values as the shape has elements")
    }

    /// From integers, wrapped to `dtype`. Panics where the counts differ.
    pub fn from_i64(dtype: DType, shape: &[usize], values: &[i64]) -> Tensor {
        let mut data = Vec::with_capacity(values.len() * dtype.size());
        for &v in values {
            match dtype {
                DType::Bool => data.push(u8::from(v != 0)),
                d if d.is_float() => push_f64(&mut data, d, v as f64),
                d => data.extend_from_slice(&v.to_le_bytes()[..d.size()]),
            }
        }
        Tensor::new(dtype, shape.to_vec(), data.into())
            .expect("as many values as the shape has elements")
    }

    /// A one-dimensional i64 tensor.
    pub fn ints(values: &[i64]) -> Tensor {
        Tensor::from_i64(DType::I64, &[values.len()], values)
    }

    pub fn scalar_f64(dtype: DType, value: f64) -> Tensor {
        Tensor::from_f64(dtype, &[], &[value])
    }

    pub fn scalar_i64(dtype: DType, value: i64) -> Tensor {
        Tensor::from_i64(dtype, &[], &[value])
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    pub fn ty(&self) -> TensorType {
        TensorType::new(self.dtype, self.shape.iter().copied())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same data under another shape, or `None` where the element counts differ.
    pub fn reshape(&self, shape: Vec<usize>) -> Option<Tensor> {
        Tensor::new(self.dtype, shape, self.data.clone())
    }

    /// Every element as f64 (exact but for 64-bit integers beyond 2^53).
    pub fn to_f64(&self) -> Vec<f64> {
        let b = &self.data[..];
        macro_rules! each {
            ($t:ty) => {
                b.chunks_exact(size_of::<$t>())
                    .map(|c| <$t>::from_le_bytes(c.try_into().expect("exact chunk")) as f64)
                    .collect()
            };
        }
        match self.dtype {
            DType::F32 => each!(f32),
            DType::F64 => each!(f64),
            DType::F16 => b
                .chunks_exact(2)
                .map(|c| f16::from_le_bytes([c[0], c[1]]).to_f64())
                .collect(),
            DType::BF16 => b
                .chunks_exact(2)
                .map(|c| bf16::from_le_bytes([c[0], c[1]]).to_f64())
                .collect(),
            DType::U64 => each!(u64),
            _ => self.to_i64().into_iter().map(|v| v as f64).collect(),
        }
    }

    /// Every element as i64: floats truncated, u64 wrapped.
    pub fn to_i64(&self) -> Vec<i64> {
        let b = &self.data[..];
        macro_rules! each {
            ($t:ty) => {
                b.chunks_exact(size_of::<$t>())
                    .map(|c| <$t>::from_le_bytes(c.try_into().expect("exact chunk")) as i64)
                    .collect()
            };
        }
        match self.dtype {
            DType::I8 => each!(i8),
            DType::I16 => each!(i16),
            DType::I32 => each!(i32),
            DType::I64 => each!(i64),
            DType::U8 => each!(u8),
            DType::U16 => each!(u16),
            DType::U32 => each!(u32),
            DType::U64 => each!(u64),
            DType::Bool => b.iter().map(|&v| i64::from(v != 0)).collect(),
            _ => self.to_f64().into_iter().map(|v| v as i64).collect(),
        }
    }

    /// Every element as f32, the usual view of weights.
    pub fn to_f32(&self) -> Vec<f32> {
        if self.dtype == DType::F32 {
            self.data
                .chunks_exact(4)
                .map(|c| f32::from_le_bytes(c.try_into().expect("exact chunk")))
                .collect()
        } else {
            self.to_f64().into_iter().map(|v| v as f32).collect()
        }
    }
}

fn push_f64(data: &mut Vec<u8>, dtype: DType, v: f64) {
    match dtype {
        DType::F32 => data.extend_from_slice(&(v as f32).to_le_bytes()),
        DType::F64 => data.extend_from_slice(&v.to_le_bytes()),
        DType::F16 => data.extend_from_slice(&f16::from_f64(v).to_le_bytes()),
        DType::BF16 => data.extend_from_slice(&bf16::from_f64(v).to_le_bytes()),
        DType::I8 => data.extend_from_slice(&(v as i8).to_le_bytes()),
        DType::I16 => data.extend_from_slice(&(v as i16).to_le_bytes()),
        DType::I32 => data.extend_from_slice(&(v as i32).to_le_bytes()),
        DType::I64 => data.extend_from_slice(&(v as i64).to_le_bytes()),
        DType::U8 => data.extend_from_slice(&(v as u8).to_le_bytes()),
        DType::U16 => data.extend_from_slice(&(v as u16).to_le_bytes()),
        DType::U32 => data.extend_from_slice(&(v as u32).to_le_bytes()),
        DType::U64 => data.extend_from_slice(&(v as u64).to_le_bytes()),
        DType::Bool => data.push(u8::from(v != 0.0)),
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty())?;
        if self.len() <= 16 {
            if self.dtype.is_float() {
                write!(f, "{:?}", self.to_f64())?
            } else {
                write!(f, "{:?}", self.to_i64())?
            }
        }
        Ok(())
    }
}
