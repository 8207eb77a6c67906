//! Where the elements of a strided view lie in a slice, and moving them to and from dense row-major order.

/// The strides of `dims` in row-major order.
pub(crate) fn dense_strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// A view of some slice: element `[i, j, ..]` is at `origin + i strides[0] + j strides[1] + ..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strided {
    pub(crate) dims: Vec<usize>,
    pub(crate) strides: Vec<isize>,
    pub(crate) origin: usize,
}

impl Strided {
    /// The number of elements.
    pub(crate) fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether row-major order has no gaps (extents of 1 and views without elements have no say).
    pub(crate) fn is_dense(&self) -> bool {
        if self.dims.contains(&0) {
            return true;
        }
        let mut expected = 1;
        self.dims
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(&dim, &stride)| {
                let fits = dim == 1 || stride == expected;
                expected = expected.saturating_mul(dim as isize);
                fits
            })
    }

    /// The elements of a dense view of `data`.
    pub(crate) fn slice<'a, T>(&self, data: &'a [T]) -> Option<&'a [T]> {
        let end = self.origin.checked_add(self.count())?;
        data.get(self.origin..end).filter(|_| self.is_dense())
    }

    pub(crate) fn slice_mut<'a, T>(&self, data: &'a mut [T]) -> Option<&'a mut [T]> {
        let end = self.origin.checked_add(self.count())?;
        data.get_mut(self.origin..end).filter(|_| self.is_dense())
    }

    /// Calls `row(position, start)` for each innermost row: its place in row-major order and in the slice.
    fn rows(&self, mut row: impl FnMut(usize, usize)) {
        let (outer, width) = match self.dims.split_last() {
            Some((&width, outer)) => (outer, width),
            None => (&self.dims[..], 1),
        };
        if width == 0 {
            return;
        }
        let mut index = vec![0usize; outer.len()];
        let mut start = self.origin as isize;
        for position in 0..outer.iter().product::<usize>() {
            row(position * width, start as usize);
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                start += self.strides[axis];
                if index[axis] < outer[axis] {
                    break;
                }
                start -= self.strides[axis] * outer[axis] as isize;
                index[axis] = 0;
            }
        }
    }

    /// Calls `visit(position, offset)` for each element: its place in row-major order and in the slice.
    pub(crate) fn each<E>(
        &self,
        mut visit: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let (width, stride) = self.width_and_stride();
        let mut result = Ok(());
        self.rows(|position, start| {
            for i in 0..width {
                if result.is_ok() {
                    let offset = start.wrapping_add_signed(i as isize * stride);
                    result = visit(position + i, offset);
                }
            }
        });
        result
    }

    fn width_and_stride(&self) -> (usize, isize) {
        match (self.dims.last(), self.strides.last()) {
            (Some(&width), Some(&stride)) => (width, stride),
            _ => (1, 1),
        }
    }

    /// Writes the elements of the view of `data` to `dense`, in row-major order.
    pub(crate) fn gather<T: Copy>(&self, data: &[T], dense: &mut [T]) {
        let (width, stride) = self.width_and_stride();
        self.rows(|position, start| {
            let row = &mut dense[position..position + width];
            if stride == 1 {
                row.copy_from_slice(&data[start..start + width]);
            } else {
                for (i, value) in row.iter_mut().enumerate() {
                    *value = data[start.wrapping_add_signed(i as isize * stride)];
                }
            }
        });
    }

    /// The inverse of [`Strided::gather`].
    pub(crate) fn scatter<T: Copy>(&self, dense: &[T], data: &mut [T]) {
        let (width, stride) = self.width_and_stride();
        self.rows(|position, start| {
            let row = &dense[position..position + width];
            if stride == 1 {
                data[start..start + width].copy_from_slice(row);
            } else {
                for (i, &value) in row.iter().enumerate() {
                    data[start.wrapping_add_signed(i as isize * stride)] = value;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(dims: &[usize], strides: &[isize], origin: usize) -> Strided {
        Strided {
            dims: dims.to_vec(),
            strides: strides.to_vec(),
            origin,
        }
    }

    #[test]
    fn gather_follows_strides() {
        let data: Vec<u32> = (0..12).collect();
        let mut dense = [0; 6];
        view(&[2, 3], &[1, 4], 0).gather(&data, &mut dense);
        assert_eq!(dense, [0, 4, 8, 1, 5, 9]);
        view(&[6], &[-2], 11).gather(&data, &mut dense);
        assert_eq!(dense, [11, 9, 7, 5, 3, 1]);
        let mut one = [0];
        view(&[], &[], 7).gather(&data, &mut one);
        assert_eq!(one, [7]);
    }

    #[test]
    fn density_ignores_what_has_one_or_no_element() {
        assert!(view(&[2, 1, 3], &[3, 99, 1], 0).is_dense());
        assert!(view(&[2, 0], &[7, 7], 0).is_dense());
        assert!(!view(&[2, 3], &[4, 1], 0).is_dense());
    }

    proptest! {
        #[test]
        fn scatter_undoes_gather(dims in prop::collection::vec(0usize..4, 0..4), gap in 1isize..3) {
            let mut strides = vec![gap; dims.len()];
            for axis in (1..dims.len()).rev() {
                strides[axis - 1] = strides[axis] * dims[axis].max(1) as isize + gap;
            }
            let v = view(&dims, &strides, 3);
            let data: Vec<i32> = (0..2000).collect();
            let mut dense = vec![-1; v.count()];
            v.gather(&data, &mut dense);
            let mut back = vec![0; data.len()];
            v.scatter(&dense, &mut back);
            let mut again = vec![-2; v.count()];
            v.gather(&back, &mut again);
            prop_assert_eq!(&dense, &again);
            prop_assert_eq!(back.iter().filter(|&&x| x != 0).count(), v.count());
        }
    }
}
