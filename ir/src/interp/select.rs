//! Sorting and selection: TopK, NonZero, Compress, Unique.

use super::Fault;
use super::array::{Array, Data, around, compare};
use super::index::check_axis;
use super::run::Run;
use crate::types::dense_strides;
use std::cmp::Ordering;

impl Run {
    /// Values and positions; `shape` is the results', its extent along `axis` is `k`.
    pub fn top_k(
        &mut self,
        x: &Array,
        axis: usize,
        largest: bool,
        shape: &[usize],
    ) -> Result<Vec<Array>, Fault> {
        check_axis(x, axis)?;
        let (outer, extent, inner) = x.around(axis);
        let k = shape.get(axis).copied().unwrap_or(0);
        if k > extent || around(shape, axis) != (outer, k, inner) {
            return Err(Fault::Invalid(format!("the top {k} of {extent} elements")));
        }
        let count = outer * k * inner;
        let (mut offsets, mut positions) = (vec![0; count], vec![0; count]);
        for o in 0..outer {
            for i in 0..inner {
                let at = |p: usize| (o * extent + p) * inner + i;
                let mut order: Vec<usize> = (0..extent).collect();
                order.sort_by(|&a, &b| {
                    let ordering = compare(&x.data, x.dtype, at(a), at(b));
                    if largest {
                        ordering.reverse()
                    } else {
                        ordering
                    }
                });
                for (rank, &p) in order.iter().take(k).enumerate() {
                    let out = (o * k + rank) * inner + i;
                    offsets[out] = at(p);
                    positions[out] = p as i64;
                }
            }
        }
        Ok(vec![
            x.take(shape.to_vec(), &offsets),
            Array::ints(shape.to_vec(), positions),
        ])
    }

    pub fn non_zero(&mut self, x: &Array) -> Result<Array, Fault> {
        let found: Vec<usize> = match &x.data {
            Data::Float(v) => (0..v.len()).filter(|&i| v[i] != 0.0).collect(),
            Data::Int(v) => (0..v.len()).filter(|&i| v[i] != 0).collect(),
        };
        let shape = vec![x.rank(), found.len()];
        self.elements(&shape)?;
        let strides = dense_strides(&x.shape);
        let coordinates = (0..x.rank())
            .flat_map(|a| found.iter().map(move |i| (a, i)))
            .map(|(a, i)| (i / strides[a] % x.shape[a]) as i64)
            .collect();
        Ok(Array::ints(shape, coordinates))
    }

    pub fn compress(
        &mut self,
        x: &Array,
        condition: &Array,
        axis: Option<usize>,
    ) -> Result<Array, Fault> {
        let (outer, extent, inner) = match axis {
            Some(axis) => {
                check_axis(x, axis)?;
                x.around(axis)
            }
            None => (1, x.len(), 1),
        };
        let condition = condition.integers();
        if condition.len() > extent {
            return Err(Fault::Invalid(format!(
                "{} conditions for {extent} elements",
                condition.len()
            )));
        }
        let kept: Vec<usize> = (0..condition.len())
            .filter(|&i| condition[i] != 0)
            .collect();
        let slices = (0..outer).flat_map(|o| kept.iter().map(move |k| (o * extent + k) * inner));
        let offsets: Vec<usize> = slices.flat_map(|s| s..s + inner).collect();
        let shape = match axis {
            Some(axis) => replace(&x.shape, axis, kept.len()),
            None => vec![kept.len()],
        };
        Ok(x.take(shape, &offsets))
    }

    /// Distinct slices along `axis` (elements where `None`), first occurrences, inverse and counts.
    pub fn unique(
        &mut self,
        x: &Array,
        axis: Option<usize>,
        sorted: bool,
    ) -> Result<Vec<Array>, Fault> {
        let (outer, extent, inner) = match axis {
            Some(axis) => {
                check_axis(x, axis)?;
                x.around(axis)
            }
            None => (1, x.len(), 1),
        };
        let by_slice = |a: usize, b: usize| {
            (0..outer)
                .flat_map(|o| (0..inner).map(move |i| (o, i)))
                .map(|(o, i)| {
                    compare(
                        &x.data,
                        x.dtype,
                        (o * extent + a) * inner + i,
                        (o * extent + b) * inner + i,
                    )
                })
                .find(|&ordering| ordering != Ordering::Equal)
                .unwrap_or(Ordering::Equal)
        };
        let mut order: Vec<usize> = (0..extent).collect();
        order.sort_by(|&a, &b| by_slice(a, b));
        // Runs of equal slices; the sort is stable, so each begins with its first occurrence.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for i in order {
            match groups.last_mut() {
                Some(group) if by_slice(group[0], i) == Ordering::Equal => group.push(i),
                _ => groups.push(vec![i]),
            }
        }
        if !sorted {
            groups.sort_by_key(|g| g[0]);
        }
        let mut inverse = vec![0; extent];
        for (number, group) in groups.iter().enumerate() {
            for &i in group {
                inverse[i] = number as i64;
            }
        }
        let slices =
            (0..outer).flat_map(|o| groups.iter().map(move |g| (o * extent + g[0]) * inner));
        let offsets: Vec<usize> = slices.flat_map(|s| s..s + inner).collect();
        let shape = match axis {
            Some(axis) => replace(&x.shape, axis, groups.len()),
            None => vec![groups.len()],
        };
        let per_group = |f: fn(&Vec<usize>) -> usize| {
            Array::ints(
                vec![groups.len()],
                groups.iter().map(|g| f(g) as i64).collect(),
            )
        };
        Ok(vec![
            x.take(shape, &offsets),
            per_group(|g| g[0]),
            Array::ints(vec![extent], inverse),
            per_group(Vec::len),
        ])
    }
}

fn replace(shape: &[usize], axis: usize, extent: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = extent;
    shape
}
