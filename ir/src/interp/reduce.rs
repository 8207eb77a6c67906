//! Reductions.

use super::Fault;
use super::array::{Array, Data, Element, outer_sum};
use super::expr::evaluate;
use super::run::Run;
use crate::class::{Combine, Reduce, neutral};
use crate::types::{DType, dense_strides};

impl Run {
    /// Combines the elements of `x` over axes; `shape` is the result's.
    pub fn reduce(
        &mut self,
        r: &Reduce,
        x: &Array,
        dtype: DType,
        shape: Vec<usize>,
    ) -> Result<Array, Fault> {
        if let Some(&axis) = r.axes.iter().find(|&&a| a >= x.rank()) {
            return Err(Fault::Invalid(format!(
                "reduces axis {axis} of a value of rank {}",
                x.rank()
            )));
        }
        self.spend(&[x.len()])?;
        let mapped = r.map.as_ref().map(|map| {
            let ty = map.dtype().compute();
            evaluate(map, &[x], ty, &x.shape, self.precision())
        });
        let x = mapped.as_ref().unwrap_or(x);
        let len = shape.iter().product();
        let cells = cells(&x.shape, &r.axes);
        let count: usize = r.axes.iter().map(|&a| x.shape[a]).product();
        let combined = match (&x.data, r.combine) {
            (_, Combine::ArgMax { last }) => return Ok(position(x, r, &cells, shape, last, true)),
            (_, Combine::ArgMin { last }) => return Ok(position(x, r, &cells, shape, last, false)),
            (Data::Float(v), c) => Data::Float(fold(v, &cells, vec![neutral(c, x.dtype); len], c)),
            (Data::Int(v), c) => {
                let start = integer_neutral(c, x.dtype);
                Data::Int(
                    if x.dtype == DType::U64 && matches!(c, Combine::Max | Combine::Min) {
                        let flipped: Vec<i64> = v.iter().map(|&v| v ^ i64::MIN).collect();
                        let folded = fold(&flipped, &cells, vec![start ^ i64::MIN; len], c);
                        folded.into_iter().map(|v| v ^ i64::MIN).collect()
                    } else {
                        fold(v, &cells, vec![start; len], c)
                    },
                )
            }
        };
        let combined = Array::new(x.dtype.compute(), shape, combined).rounded(self.precision());
        Ok(match &r.finish {
            Some(finish) => {
                let n = vec![count; len];
                let n = match &combined.data {
                    Data::Float(_) => Data::Float(n.iter().map(|&n| n as f64).collect()),
                    Data::Int(_) => Data::Int(n.iter().map(|&n| n as i64).collect()),
                };
                let count = Array::new(combined.dtype, combined.shape.clone(), n);
                evaluate(
                    finish,
                    &[&combined, &count],
                    dtype,
                    &combined.shape,
                    self.precision(),
                )
            }
            None => Array { dtype, ..combined }.rounded(self.precision()),
        })
    }
}

/// For every element of the input, the element of the result it is combined into.
fn cells(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    let kept: Vec<usize> = (0..shape.len())
        .map(|a| if axes.contains(&a) { 1 } else { shape[a] })
        .collect();
    let strides = dense_strides(&kept);
    let tables: Vec<Vec<Option<i64>>> = (0..shape.len())
        .map(|a| {
            let step = if axes.contains(&a) { 0 } else { strides[a] };
            (0..shape[a]).map(|i| Some((i * step) as i64)).collect()
        })
        .collect();
    outer_sum(Some(0), &tables)
}

fn fold<T: Element>(values: &[T], cells: &[usize], mut acc: Vec<T>, combine: Combine) -> Vec<T> {
    let step: fn(T, T) -> T = match combine {
        Combine::Sum => T::add,
        Combine::Prod => T::mul,
        Combine::Max | Combine::ArgMax { .. } => |a, v| if a.is_nan() || a > v { a } else { v },
        Combine::Min | Combine::ArgMin { .. } => |a, v| if a.is_nan() || a < v { a } else { v },
    };
    for (&v, &cell) in values.iter().zip(cells) {
        acc[cell] = step(acc[cell], v);
    }
    acc
}

fn integer_neutral(combine: Combine, dtype: DType) -> i64 {
    let (low, high) = dtype.int_range().unwrap_or((0, 0));
    match combine {
        Combine::Sum => 0,
        Combine::Prod => 1,
        Combine::Max | Combine::ArgMax { .. } => low as i64,
        Combine::Min | Combine::ArgMin { .. } => high as i64,
    }
}

/// Position of the extreme element along the one axis; a NaN counts as extreme.
fn position(
    x: &Array,
    r: &Reduce,
    cells: &[usize],
    shape: Vec<usize>,
    last: bool,
    largest: bool,
) -> Array {
    use super::array::compare;
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (_, extent, inner) = r.axes.first().map_or((1, 1, 1), |&a| x.around(a));
    let mut best: Vec<Option<usize>> = vec![None; shape.iter().product()];
    let is_nan = |i: usize| matches!(&x.data, Data::Float(v) if v[i].is_nan());
    for (i, &cell) in cells.iter().enumerate() {
        let wins = best[cell].is_none_or(|b| match compare(&x.data, x.dtype, i, b) {
            Equal => last,
            Greater => largest || is_nan(i),
            Less => !largest && !is_nan(b),
        });
        if wins {
            best[cell] = Some(i);
        }
    }
    let along = |i: Option<usize>| i.map_or(0, |i| (i / inner % extent) as i64);
    Array::ints(shape, best.into_iter().map(along).collect())
}
