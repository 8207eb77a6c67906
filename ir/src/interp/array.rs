//! Values while they are computed: a shape over f64 or i64 elements.

use super::Precision;
use crate::tensor::Tensor;
use crate::types::{DType, dense_strides};
use half::{bf16, f16};

/// A dense row-major value. Floats of any type are f64; integers are held as their value in i64 (u64 by its bits); bool is 0 or 1.
#[derive(Clone, Debug)]
pub struct Array {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub data: Data,
}

#[derive(Clone, Debug)]
pub enum Data {
    Float(Vec<f64>),
    Int(Vec<i64>),
}

/// An element: what sums and products are made of. Integers wrap at 64 bits; storing wraps them to their type.
pub trait Element: Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    fn add(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn is_nan(self) -> bool;
}

impl Element for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    fn add(self, o: f64) -> f64 {
        self + o
    }
    fn mul(self, o: f64) -> f64 {
        self * o
    }
    fn is_nan(self) -> bool {
        self.is_nan()
    }
}

impl Element for i64 {
    const ZERO: i64 = 0;
    const ONE: i64 = 1;
    fn add(self, o: i64) -> i64 {
        self.wrapping_add(o)
    }
    fn mul(self, o: i64) -> i64 {
        self.wrapping_mul(o)
    }
    fn is_nan(self) -> bool {
        false
    }
}

/// Runs the same generic code on either kind of data: `each!(data, v => f(v))` yields `Data` again.
macro_rules! each {
    ($data:expr, $v:ident => $f:expr) => {
        match $data {
            $crate::interp::array::Data::Float($v) => $crate::interp::array::Data::Float($f),
            $crate::interp::array::Data::Int($v) => $crate::interp::array::Data::Int($f),
        }
    };
}
pub(super) use each;

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Data::Float(v) => v.len(),
            Data::Int(v) => v.len(),
        }
    }

    /// Elements at `offsets`; [`OUTSIDE`] gives `fill`. Offsets come from geometry that was checked against the length.
    pub fn take(&self, offsets: &[usize], fill: f64) -> Data {
        fn pick<T: Copy>(v: &[T], offsets: &[usize], fill: T) -> Vec<T> {
            offsets
                .iter()
                .map(|&o| v.get(o).copied().unwrap_or(fill))
                .collect()
        }
        match self {
            Data::Float(v) => Data::Float(pick(v, offsets, fill)),
            Data::Int(v) => Data::Int(pick(v, offsets, fill as i64)),
        }
    }
}

/// An offset that lies in no array.
pub const OUTSIDE: usize = usize::MAX;

impl Array {
    pub fn new(dtype: DType, shape: Vec<usize>, data: Data) -> Array {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Array { dtype, shape, data }
    }

    pub fn ints(shape: Vec<usize>, values: Vec<i64>) -> Array {
        Array::new(DType::I64, shape, Data::Int(values))
    }

    pub fn from_tensor(t: &Tensor) -> Array {
        let data = if t.dtype().is_float() {
            Data::Float(t.to_f64())
        } else {
            Data::Int(t.to_i64())
        };
        Array::new(t.dtype(), t.shape().to_vec(), data)
    }

    /// As a tensor of the value's type; floats as f64 under [`Precision::F64`].
    pub fn to_tensor(&self, precision: Precision) -> Tensor {
        match &self.data {
            Data::Float(v) if precision == Precision::F64 => {
                Tensor::from_f64(DType::F64, &self.shape, v)
            }
            Data::Float(v) => Tensor::from_f64(self.dtype, &self.shape, v),
            Data::Int(v) => Tensor::from_i64(self.dtype, &self.shape, v),
        }
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Elements as floats, integers converted.
    pub fn floats(&self) -> Vec<f64> {
        match &self.data {
            Data::Float(v) => v.clone(),
            Data::Int(v) if self.dtype == DType::U64 => {
                v.iter().map(|&v| v as u64 as f64).collect()
            }
            Data::Int(v) => v.iter().map(|&v| v as f64).collect(),
        }
    }

    /// Elements as integers, floats truncated.
    pub fn integers(&self) -> Vec<i64> {
        match &self.data {
            Data::Float(v) => v.iter().map(|&v| v as i64).collect(),
            Data::Int(v) => v.clone(),
        }
    }

    /// Extents before, at and after `axis`: the array as `[outer, extent, inner]`.
    pub fn around(&self, axis: usize) -> (usize, usize, usize) {
        around(&self.shape, axis)
    }

    /// The elements at `offsets` under another shape.
    pub fn take(&self, shape: Vec<usize>, offsets: &[usize]) -> Array {
        Array::new(self.dtype, shape, self.data.take(offsets, 0.0))
    }

    /// Rounds (floats) or wraps (integers) every element to the type.
    pub fn rounded(mut self, precision: Precision) -> Array {
        match &mut self.data {
            Data::Float(v) => round_all(v, self.dtype, precision),
            Data::Int(v) => wrap_all(v, self.dtype),
        }
        self
    }
}

/// Extents before, at and after `axis` of a shape.
pub fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (
        shape[..axis].iter().product(),
        shape[axis],
        shape[axis + 1..].iter().product(),
    )
}

/// Rounds values to a float type; nothing under [`Precision::F64`].
pub fn round_all(values: &mut [f64], dtype: DType, precision: Precision) {
    if precision == Precision::F64 {
        return;
    }
    match dtype {
        DType::F32 => values.iter_mut().for_each(|v| *v = f64::from(*v as f32)),
        DType::F16 => values
            .iter_mut()
            .for_each(|v| *v = f16::from_f64(*v).to_f64()),
        DType::BF16 => values
            .iter_mut()
            .for_each(|v| *v = bf16::from_f64(*v).to_f64()),
        _ => {}
    }
}

/// Wraps values to an integer type.
pub fn wrap_all(values: &mut [i64], dtype: DType) {
    match dtype {
        DType::I8 => values.iter_mut().for_each(|v| *v = i64::from(*v as i8)),
        DType::I16 => values.iter_mut().for_each(|v| *v = i64::from(*v as i16)),
        DType::I32 => values.iter_mut().for_each(|v| *v = i64::from(*v as i32)),
        DType::U8 => values.iter_mut().for_each(|v| *v = i64::from(*v as u8)),
        DType::U16 => values.iter_mut().for_each(|v| *v = i64::from(*v as u16)),
        DType::U32 => values.iter_mut().for_each(|v| *v = i64::from(*v as u32)),
        DType::Bool => values.iter_mut().for_each(|v| *v = i64::from(*v != 0)),
        _ => {}
    }
}

/// Sums over axes: the outer sum of per-axis tables, row-major. `None` in a table poisons every combination it takes part in.
///
/// Strided views, broadcasts and windows are all of this form.
pub fn outer_sum(base: Option<i64>, tables: &[Vec<Option<i64>>]) -> Vec<usize> {
    let mut sums = vec![base];
    for table in tables {
        sums = sums
            .iter()
            .flat_map(|&s| table.iter().map(move |&t| Some(s? + t?)))
            .collect();
    }
    sums.into_iter()
        .map(|s| s.map_or(OUTSIDE, |s| s as usize))
        .collect()
}

/// For every element of `shape`, the offset of the element of `from` that broadcasts to it (numpy's rule).
pub fn broadcast_offsets(from: &[usize], shape: &[usize]) -> Vec<usize> {
    let strides = dense_strides(from);
    let lead = shape.len().saturating_sub(from.len());
    let tables: Vec<Vec<Option<i64>>> = (0..shape.len())
        .map(|axis| {
            let stride = match axis.checked_sub(lead) {
                Some(a) if from[a] != 1 => strides[a],
                _ => 0,
            };
            (0..shape[axis])
                .map(|i| Some((i * stride) as i64))
                .collect()
        })
        .collect();
    outer_sum(Some(0), &tables)
}

/// Whether `from` broadcasts to `shape` without changing it.
pub fn broadcasts_to(from: &[usize], shape: &[usize]) -> bool {
    from.len() <= shape.len()
        && from
            .iter()
            .rev()
            .zip(shape.iter().rev())
            .all(|(&f, &s)| f == s || f == 1)
}

/// A total order that suits sorting: NaN after every number, zeros equal; u64 by its unsigned value.
pub fn compare(data: &Data, dtype: DType, a: usize, b: usize) -> std::cmp::Ordering {
    match data {
        Data::Float(v) => v[a]
            .partial_cmp(&v[b])
            .unwrap_or_else(|| v[a].is_nan().cmp(&v[b].is_nan())),
        Data::Int(v) if dtype == DType::U64 => (v[a] as u64).cmp(&(v[b] as u64)),
        Data::Int(v) => v[a].cmp(&v[b]),
    }
}
