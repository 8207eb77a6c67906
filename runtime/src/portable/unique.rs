//! [Unique](https://onnx.ai/onnx/operators/onnx__Unique.html).

use crate::error::KernelError;
use crate::operands::{Operands, by_type};
use crate::portable::around;
use crate::portable::number::Number;
use crate::wire::wire_struct;
use std::cmp::Ordering;

/// The different slices along `axis` (or elements of the flattened input), ascending or in order of first occurrence.
/// Outputs, all optional: values, indices of first occurrences, inverse indices, counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique {
    pub axis: Option<u32>,
    pub sorted: bool,
}

wire_struct!(Unique { axis, sorted });

impl Unique {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let mut dims = operands.dims(0)?.to_vec();
        let axis = self.axis.unwrap_or(0);
        if self.axis.is_none() {
            dims = vec![dims.iter().product()];
        }
        let [outer, n, inner] = around(&dims, axis)?;
        by_type!(operands.dtype(0)?, T => {
            let data = operands.input::<T>(0)?;
            let groups = self.groups(n, |a, b| compare_slices(&data.data, [outer, n, inner], a, b));
            dims[axis as usize] = groups.first.len();
            operands.output::<T>(0, &dims, |out| {
                let rows = (0..outer).flat_map(|row| groups.first.iter().map(move |&i| row * n + i));
                for (to, from) in rows.enumerate() {
                    out[to * inner..][..inner].copy_from_slice(&data.data[from * inner..][..inner]);
                }
                Ok(())
            })?;
            for (index, numbers) in [(1, &groups.first), (2, &groups.inverse), (3, &groups.counts)] {
                operands.output::<i64>(index, &[numbers.len()], |out| {
                    for (out, &number) in out.iter_mut().zip(numbers) {
                        *out = number as i64;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
    }

    /// Sorts `0..n` by `compare` and makes a group of each run of equals.
    fn groups(&self, n: usize, compare: impl Fn(usize, usize) -> Ordering) -> Groups {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| compare(a, b));
        let mut runs: Vec<&[usize]> = order
            .chunk_by(|&a, &b| compare(a, b) == Ordering::Equal)
            .collect();
        if !self.sorted {
            // The sort is stable: a run begins with its first occurrence.
            runs.sort_by_key(|run| run[0]);
        }
        let mut inverse = vec![0; n];
        for (group, run) in runs.iter().enumerate() {
            for &member in *run {
                inverse[member] = group;
            }
        }
        Groups {
            first: runs.iter().map(|run| run[0]).collect(),
            inverse,
            counts: runs.iter().map(|run| run.len()).collect(),
        }
    }
}

/// Equal slices.
struct Groups {
    /// Where each group occurs first.
    first: Vec<usize>,
    /// The group of each slice.
    inverse: Vec<usize>,
    /// The size of each group.
    counts: Vec<usize>,
}

/// Slices `a` and `b` along the middle one of three axes, in lexicographic order.
fn compare_slices<T: Number>(
    data: &[T],
    [outer, n, inner]: [usize; 3],
    a: usize,
    b: usize,
) -> Ordering {
    let rows =
        |slice: usize| (0..outer).flat_map(move |row| &data[(row * n + slice) * inner..][..inner]);
    let mut pairs = rows(a).zip(rows(b));
    let difference = pairs.find_map(|(x, y)| Some(x.order(y)).filter(|order| order.is_ne()));
    difference.unwrap_or(Ordering::Equal)
}
