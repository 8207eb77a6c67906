//! Pooling: per output position, the offsets its window covers are worked out once and used for every plane.

use super::Fault;
use super::array::{Array, Data, Element, outer_sum};
use super::run::Run;
use crate::class::{Window, WindowKind};
use crate::types::{DType, dense_strides};

impl Run {
    pub fn window(
        &mut self,
        w: &Window,
        x: &Array,
        dtype: DType,
        shape: Vec<usize>,
    ) -> Result<Array, Fault> {
        let spatial = x.rank().saturating_sub(2);
        let geometry = [
            &w.kernel,
            &w.strides,
            &w.dilations,
            &w.pads_begin,
            &w.pads_end,
        ];
        if x.rank() < 2
            || shape.len() != x.rank()
            || shape[..2] != x.shape[..2]
            || geometry.iter().any(|v| v.len() != spatial)
        {
            return Err(Fault::Invalid(format!(
                "the window does not fit an input of shape {:?} and a result of shape {shape:?}",
                x.shape
            )));
        }
        self.spend(&[shape.iter().product(), w.kernel.iter().product()])?;
        let positions = Positions::new(w, &x.shape[2..]);
        let data = match (&x.data, w.kind) {
            (Data::Float(v), WindowKind::Max) => {
                Data::Float(pool(v, &positions, &shape, |v, cells, _| {
                    largest(v, cells).map_or(f64::NEG_INFINITY, |c| v[c])
                }))
            }
            (Data::Int(v), WindowKind::Max) => {
                let lowest = x.dtype.int_range().map_or(0, |r| r.0 as i64);
                Data::Int(pool(v, &positions, &shape, |v, cells, _| {
                    largest(v, cells).map_or(lowest, |c| v[c])
                }))
            }
            (Data::Float(v), WindowKind::ArgMax { column_major }) => {
                Data::Int(arg_max(v, &positions, &shape, column_major))
            }
            (Data::Int(v), WindowKind::ArgMax { column_major }) => {
                Data::Int(arg_max(v, &positions, &shape, column_major))
            }
            (_, WindowKind::Average { count_pad }) => {
                let average = |v: &[f64], cells: &[usize], padded: usize| {
                    let sum: f64 = cells.iter().map(|&c| v[c]).sum();
                    sum / (if count_pad { padded } else { cells.len() }) as f64
                };
                Data::Float(pool(&x.floats(), &positions, &shape, average))
            }
            (_, WindowKind::Lp { p }) => {
                let p = p as f64;
                let norm = |v: &[f64], cells: &[usize], _| {
                    let sum: f64 = cells.iter().map(|&c| v[c].abs().powf(p)).sum();
                    sum.powf(1.0 / p)
                };
                Data::Float(pool(&x.floats(), &positions, &shape, norm))
            }
        };
        let data = match data {
            Data::Float(v) if !dtype.is_float() => Data::Int(v.iter().map(|&v| v as i64).collect()),
            data => data,
        };
        Ok(Array::new(dtype, shape, data).rounded(self.precision()))
    }

    /// The gradient of maximum pooling with respect to `x`, from that with respect to the pooled values.
    pub fn window_gradient(
        &mut self,
        w: &Window,
        rectified: bool,
        x: &Array,
        dy: &Array,
    ) -> Result<Array, Fault> {
        if x.rank() < 2 || dy.rank() != x.rank() || dy.shape[..2] != x.shape[..2] {
            return Err(Fault::Invalid(format!(
                "gradients of shape {:?} are none of windows over {:?}",
                dy.shape, x.shape
            )));
        }
        self.spend(&[dy.shape.iter().product(), w.kernel.iter().product()])?;
        let positions = Positions::new(w, &x.shape[2..]);
        let values = x.floats();
        let winners = pool(&values, &positions, &dy.shape, |v, cells, _| {
            let exceeds = |best: usize, c: usize| if v[c] > v[best] { c } else { best };
            let winner = cells.iter().copied().reduce(exceeds);
            let winner = winner.filter(|&c| !rectified || v[c] > 0.0);
            winner.map_or(-1, |c| c as i64)
        });
        let planes = |shape: &[usize]| shape[2..].iter().product::<usize>();
        let (from, to) = (planes(&dy.shape), planes(&x.shape));
        let mut dx = vec![0.0; x.shape.iter().product()];
        for (o, (&winner, d)) in winners.iter().zip(dy.floats().iter()).enumerate() {
            if let Ok(cell) = usize::try_from(winner) {
                dx[o / from * to + cell] += d;
            }
        }
        let dx = Array::new(x.dtype, x.shape.clone(), Data::Float(dx));
        Ok(dx.rounded(self.precision()))
    }
}

/// Geometry of one plane.
struct Positions<'a> {
    w: &'a Window,
    plane: &'a [usize],
    strides: Vec<usize>,
}

impl<'a> Positions<'a> {
    fn new(w: &'a Window, plane: &'a [usize]) -> Positions<'a> {
        Positions {
            w,
            plane,
            strides: dense_strides(plane),
        }
    }

    /// Offsets inside the plane that the window at output coordinates `at` covers, and how many of its cells lie inside the padded
    /// plane.
    fn cells(&self, at: &[usize]) -> (Vec<usize>, usize) {
        let mut padded = 1;
        let tables: Vec<Vec<Option<i64>>> = (0..at.len())
            .map(|a| {
                let extent = self.plane[a] as i64;
                let end = extent + self.w.pads_end[a] as i64;
                let start = at[a] as i64 * self.w.strides[a] as i64 - self.w.pads_begin[a] as i64;
                let cells =
                    (0..self.w.kernel[a] as i64).map(|k| start + k * self.w.dilations[a] as i64);
                padded *= cells.clone().filter(|&i| i < end).count();
                cells
                    .filter(|i| (0..extent).contains(i))
                    .map(|i| Some(i * self.strides[a] as i64))
                    .collect()
            })
            .collect();
        (outer_sum(Some(0), &tables), padded)
    }
}

/// `f(plane, cells, cells inside the padded plane)` for every plane and output position.
fn pool<T, U: Element>(
    x: &[T],
    positions: &Positions,
    shape: &[usize],
    f: impl Fn(&[T], &[usize], usize) -> U,
) -> Vec<U> {
    let planes = shape[0] * shape[1];
    let out_shape = &shape[2..];
    let (out_plane, in_plane): (usize, usize) =
        (out_shape.iter().product(), positions.plane.iter().product());
    let mut out = vec![U::ZERO; planes * out_plane];
    let out_strides = dense_strides(out_shape);
    for position in 0..out_plane {
        let at: Vec<usize> = out_strides
            .iter()
            .zip(out_shape)
            .map(|(s, n)| position / s % n)
            .collect();
        let (cells, padded) = positions.cells(&at);
        for p in 0..planes {
            out[p * out_plane + position] = f(&x[p * in_plane..(p + 1) * in_plane], &cells, padded);
        }
    }
    out
}

/// The first of the largest cells; a NaN is larger than all.
fn largest<T: Element>(v: &[T], cells: &[usize]) -> Option<usize> {
    cells.iter().copied().reduce(|best, c| {
        if v[c] > v[best] || (v[c].is_nan() && !v[best].is_nan()) {
            c
        } else {
            best
        }
    })
}

/// Positions in the whole flattened input.
fn arg_max<T: Element>(
    x: &[T],
    positions: &Positions,
    shape: &[usize],
    column_major: bool,
) -> Vec<i64> {
    let plane: usize = positions.plane.iter().product();
    let number = |cell: usize| {
        if !column_major {
            return cell;
        }
        let mut stride = 1;
        let mut sum = 0;
        for (s, n) in positions.strides.iter().zip(positions.plane) {
            sum += cell / s % n * stride;
            stride *= n;
        }
        sum
    };
    let within = pool(x, positions, shape, |v, cells, _| {
        largest(v, cells).map_or(0, |c| number(c) as i64)
    });
    let out_plane: usize = shape[2..].iter().product();
    within
        .into_iter()
        .enumerate()
        .map(|(i, cell)| (i / out_plane * plane) as i64 + cell)
        .collect()
}
