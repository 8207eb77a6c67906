//! Element types, dimensions, layouts and the type of a tensor.

use std::fmt;
use std::sync::Arc;

/// The type of one element. Half types (`F16`, `BF16`) are storage: arithmetic on them happens in f32 and is rounded when stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    F32,
    F64,
    F16,
    BF16,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl DType {
    pub const ALL: [DType; 13] = {
        use DType::*;
        [
            F32, F64, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, Bool,
        ]
    };

    /// Size of an element in bytes.
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 | DType::U64 => 8,
        }
    }

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::Bool => "bool",
        }
    }

    pub fn from_name(name: &str) -> Option<DType> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }

    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }

    /// Half-precision storage types.
    pub const fn is_half(self) -> bool {
        matches!(self, DType::F16 | DType::BF16)
    }

    pub const fn is_int(self) -> bool {
        !self.is_float() && !matches!(self, DType::Bool)
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64) || self.is_float()
    }

    /// The type arithmetic on this type is done in: f32 for half types, itself otherwise.
    pub const fn compute(self) -> DType {
        if self.is_half() { DType::F32 } else { self }
    }

    /// Smallest and largest value of an integer type, as i128; `None` for floats.
    pub const fn int_range(self) -> Option<(i128, i128)> {
        Some(match self {
            DType::I8 => (i8::MIN as i128, i8::MAX as i128),
            DType::I16 => (i16::MIN as i128, i16::MAX as i128),
            DType::I32 => (i32::MIN as i128, i32::MAX as i128),
            DType::I64 => (i64::MIN as i128, i64::MAX as i128),
            DType::U8 => (0, u8::MAX as i128),
            DType::U16 => (0, u16::MAX as i128),
            DType::U32 => (0, u32::MAX as i128),
            DType::U64 => (0, u64::MAX as i128),
            DType::Bool => (0, 1),
            _ => return None,
        })
    }

    /// `TensorProto.DataType` of ONNX.
    pub const fn onnx_code(self) -> i32 {
        match self {
            DType::F32 => 1,
            DType::U8 => 2,
            DType::I8 => 3,
            DType::U16 => 4,
            DType::I16 => 5,
            DType::I32 => 6,
            DType::I64 => 7,
            DType::Bool => 9,
            DType::F16 => 10,
            DType::F64 => 11,
            DType::U32 => 12,
            DType::U64 => 13,
            DType::BF16 => 16,
        }
    }

    pub fn from_onnx_code(code: i64) -> Option<DType> {
        Self::ALL
            .into_iter()
            .find(|d| i64::from(d.onnx_code()) == code)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One dimension of a shape: known, or a symbol whose value is known only later (an input's free dimension, or an extent that
/// depends on data). `upper`, where known, bounds it, and memory is planned for that bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    Fixed(u64),
    Sym { name: Arc<str>, upper: Option<u64> },
}

impl Dim {
    pub fn sym(name: &str, upper: Option<u64>) -> Dim {
        Dim::Sym {
            name: name.into(),
            upper,
        }
    }

    pub fn fixed(&self) -> Option<u64> {
        match self {
            Dim::Fixed(n) => Some(*n),
            Dim::Sym { .. } => None,
        }
    }

    /// The largest value the dimension can take, where bounded.
    pub fn upper(&self) -> Option<u64> {
        match self {
            Dim::Fixed(n) => Some(*n),
            Dim::Sym { upper, .. } => *upper,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Sym { name, upper: None } => write!(f, "{name}"),
            Dim::Sym {
                name,
                upper: Some(n),
            } => write!(f, "{name}<={n}"),
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::Fixed(n as u64)
    }
}

/// How the elements of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Row-major, dense.
    #[default]
    Plain,
    /// `N, C/block, H, W, block`: channels in blocks of `block`, the last block padded, and a frame of zeros of `halo`
    /// (top, left, bottom, right) pixels around every plane. Values in the padding channels are unspecified.
    Blocked { block: u8, halo: [u16; 4] },
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::Plain => Ok(()),
            Layout::Blocked { block, halo } => {
                write!(f, ":nchw{block}c")?;
                if *halo != [0; 4] {
                    write!(f, "+{},{},{},{}", halo[0], halo[1], halo[2], halo[3])?;
                }
                Ok(())
            }
        }
    }
}

/// Element type, shape and layout of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub dtype: DType,
    pub shape: Vec<Dim>,
    pub layout: Layout,
}

impl TensorType {
    pub fn new(dtype: DType, shape: impl IntoIterator<Item = impl Into<Dim>>) -> TensorType {
        TensorType {
            dtype,
            shape: shape.into_iter().map(Into::into).collect(),
            layout: Layout::Plain,
        }
    }

    pub fn scalar(dtype: DType) -> TensorType {
        TensorType {
            dtype,
            shape: Vec::new(),
            layout: Layout::Plain,
        }
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The shape, if every dimension is known and fits this machine.
    pub fn fixed_shape(&self) -> Option<Vec<usize>> {
        self.shape
            .iter()
            .map(|d| d.fixed().and_then(|n| usize::try_from(n).ok()))
            .collect()
    }

    /// The shape with every dimension at its upper bound.
    pub fn upper_shape(&self) -> Option<Vec<usize>> {
        self.shape
            .iter()
            .map(|d| d.upper().and_then(|n| usize::try_from(n).ok()))
            .collect()
    }

    /// Number of elements, if known and below 2^62.
    pub fn elements(&self) -> Option<usize> {
        element_count(&self.fixed_shape()?)
    }

    /// Whether the bytes stay within [`MAX_BYTES`], symbolic dimensions at their bounds (unbounded ones left out).
    pub fn fits_memory(&self) -> bool {
        self.shape
            .iter()
            .filter_map(Dim::upper)
            .try_fold(self.dtype.size() as u64, |n, d| n.checked_mul(d.max(1)))
            .is_some_and(|n| n <= MAX_BYTES)
    }

    pub fn is_fixed(&self) -> bool {
        self.shape.iter().all(|d| d.fixed().is_some())
    }

    pub fn with_dtype(&self, dtype: DType) -> TensorType {
        TensorType {
            dtype,
            ..self.clone()
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, d) in self.shape.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{d}")?;
        }
        write!(f, "]{}", self.layout)
    }
}

/// Largest tensor an operator may yield, in bytes: no machine holds more, and below it no offset overflows.
pub const MAX_BYTES: u64 = 1 << 40;

/// Product of the dimensions, `None` where it would pass 2^62 (checked even when a later dimension is zero, so that no partial
/// product can wrap).
pub fn element_count(shape: &[usize]) -> Option<usize> {
    let mut n: usize = 1;
    let mut nonzero: usize = 1;
    for &d in shape {
        n = n.checked_mul(d)?;
        nonzero = nonzero.checked_mul(d.max(1)).filter(|&n| n < 1 << 62)?;
    }
    Some(n)
}

/// Row-major strides of a dense tensor, in elements.
pub fn dense_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (0..shape.len().saturating_sub(1)).rev() {
        strides[i] = strides[i + 1] * shape[i + 1].max(1);
    }
    strides
}

/// The shape two operands broadcast to (numpy's rule, aligned at the last dimension), or `None`.
///
/// A symbolic dimension broadcasts with 1 and with itself.
pub fn broadcast(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |s: &[Dim], i: usize| (i + s.len()).checked_sub(rank).map(|k| s[k].clone());
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (Some(x), None) | (None, Some(x)) => Some(x),
            (Some(x), Some(y)) if x == y => Some(x),
            (Some(Dim::Fixed(1)), Some(y)) => Some(y),
            (Some(x), Some(Dim::Fixed(1))) => Some(x),
            _ => None,
        })
        .collect()
}
