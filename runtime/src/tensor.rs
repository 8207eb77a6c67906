//! Tensors outside and inside of a session: borrowed and owned dense ones, and strided views of a session's memory.

use crate::dtype::{DType, Element};
use crate::error::RunError;
use crate::operands::by_type;
use crate::strided::Strided;
use std::fmt;

/// A dense row-major tensor to be fed.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    dtype: DType,
    dims: &'a [usize],
    bytes: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// `None` where `data` does not have the number of elements `dims` asks for.
    pub fn new<T: Element>(dims: &'a [usize], data: &'a [T]) -> Option<TensorView<'a>> {
        TensorView::from_bytes(T::DTYPE, dims, bytemuck::cast_slice(data))
    }

    /// From bytes of any alignment, in the machine's byte order. `None` where there are not as many as `dims` asks for.
    pub fn from_bytes(dtype: DType, dims: &'a [usize], bytes: &'a [u8]) -> Option<TensorView<'a>> {
        (byte_count(dtype, dims)? == bytes.len()).then_some(TensorView { dtype, dims, bytes })
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn dims(&self) -> &'a [usize] {
        self.dims
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A dense row-major tensor of its own.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    dtype: DType,
    dims: Vec<usize>,
    /// Words, so that elements of any type are aligned; the last may be partly used.
    words: Vec<u64>,
    len: usize,
}

impl Tensor {
    /// A copy of `data`; `None` where it does not have the number of elements `dims` asks for.
    pub fn new<T: Element>(dims: &[usize], data: &[T]) -> Option<Tensor> {
        let mut tensor = Tensor::zeroed(T::DTYPE, dims)?;
        let bytes = bytemuck::cast_slice(data);
        (bytes.len() == tensor.len).then(|| tensor.bytes_mut().copy_from_slice(bytes))?;
        Some(tensor)
    }

    /// All zero; `None` where there is not enough memory.
    pub fn zeroed(dtype: DType, dims: &[usize]) -> Option<Tensor> {
        let len = byte_count(dtype, dims)?;
        let mut words = Vec::new();
        words.try_reserve_exact(len.div_ceil(8)).ok()?;
        words.resize(len.div_ceil(8), 0);
        Some(Tensor {
            dtype,
            dims: dims.to_vec(),
            words,
            len,
        })
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The elements as bytes in the machine's byte order.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// The elements; `None` where they are of another type.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        (T::DTYPE == self.dtype).then(|| bytemuck::cast_slice(self.bytes()))
    }

    /// The tensor as something to feed.
    pub fn view(&self) -> TensorView<'_> {
        TensorView {
            dtype: self.dtype,
            dims: &self.dims,
            bytes: self.bytes(),
        }
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({}{:?})", self.dtype, self.dims)
    }
}

fn byte_count(dtype: DType, dims: &[usize]) -> Option<usize> {
    dims.iter()
        .try_fold(dtype.size(), |n, &dim| n.checked_mul(dim))
}

/// An output or state where it lies in the session.
#[derive(Clone, Debug)]
pub struct TensorRef<'a, T> {
    pub(crate) view: Strided,
    pub(crate) data: &'a [T],
}

impl<'a, T: Element> TensorRef<'a, T> {
    /// The extents of this run.
    pub fn dims(&self) -> &[usize] {
        &self.view.dims
    }

    /// The elements in row-major order, where they lie so without gaps.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        self.view.slice(self.data)
    }

    /// A copy of the elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        let mut dense = vec![T::zeroed(); self.view.count()];
        self.view.gather(self.data, &mut dense);
        dense
    }
}

/// An input or state where it lies in the session, to be written.
#[derive(Debug)]
pub struct TensorMut<'a, T> {
    pub(crate) name: &'a str,
    pub(crate) view: Strided,
    pub(crate) data: &'a mut [T],
}

impl<T: Element> TensorMut<'_, T> {
    /// The extents as they are.
    pub fn dims(&self) -> &[usize] {
        &self.view.dims
    }

    /// The elements in row-major order, where they lie so without gaps.
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        self.view.slice_mut(self.data)
    }

    /// Writes all elements, given in row-major order.
    pub fn copy_from(&mut self, dense: &[T]) -> Result<(), RunError> {
        if dense.len() != self.view.count() {
            return Err(RunError::Shape {
                kind: "tensor",
                name: self.name.to_owned(),
                expected: self
                    .view
                    .dims
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                found: vec![dense.len()],
            });
        }
        self.view.scatter(dense, self.data);
        Ok(())
    }
}

/// Writes a dense tensor of any type into bytes seen through `view`. Truth values become 0 or 1, which generated code relies on.
pub(crate) fn store(view: &Strided, tensor: TensorView<'_>, bytes: &mut [u8]) {
    by_type!(tensor.dtype, T => {
        let elements: &mut [T] = bytemuck::cast_slice_mut(bytes);
        match view.slice_mut(elements) {
            Some(dense) => bytemuck::cast_slice_mut(dense).copy_from_slice(tensor.bytes),
            None => {
                let read = bytemuck::pod_read_unaligned::<T>;
                let dense: Vec<T> = tensor.bytes.chunks_exact(size_of::<T>()).map(read).collect();
                view.scatter(&dense, elements);
            }
        }
    });
    if tensor.dtype == DType::Bool {
        bytes
            .iter_mut()
            .for_each(|byte| *byte = u8::from(*byte != 0));
    }
}

/// The inverse of [`store`]; `None` where there is not enough memory.
pub(crate) fn fetch(dtype: DType, view: &Strided, bytes: &[u8]) -> Option<Tensor> {
    let mut tensor = Tensor::zeroed(dtype, &view.dims)?;
    by_type!(dtype, T => {
        view.gather::<T>(bytemuck::cast_slice(bytes), bytemuck::cast_slice_mut(tensor.bytes_mut()));
    });
    Some(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_must_agree() {
        assert!(TensorView::new(&[2, 2], &[1.0f32; 4]).is_some());
        assert!(TensorView::new(&[2, 2], &[1.0f32; 3]).is_none());
        assert!(TensorView::new(&[usize::MAX, 2], &[1.0f32; 3]).is_none());
        assert!(Tensor::zeroed(DType::F64, &[1 << 62]).is_none());
        assert!(Tensor::new(&[0, 3], &[] as &[u8]).is_some());
    }

    #[test]
    fn a_tensor_knows_its_type() {
        let tensor = Tensor::new(&[3], &[1i16, -2, 3]).unwrap();
        assert_eq!(tensor.as_slice::<i16>(), Some(&[1i16, -2, 3][..]));
        assert_eq!(tensor.as_slice::<u16>(), None);
        assert_eq!(tensor.bytes().len(), 6);
    }
}
