//! Routines whose addresses depend on data: the dispatch, gathers, running sums, reversal, determinants.

use super::Fault;
use super::array::{Array, Data, Element, OUTSIDE, each};
use super::run::{Operands, Run, operand};
use crate::class::Index;
use crate::types::{TensorType, dense_strides};

impl Run {
    /// Evaluates an index routine; `out` is the type of its first result, data-dependent extents still symbols.
    pub fn index(
        &mut self,
        index: &Index,
        operands: Operands,
        out: &TensorType,
    ) -> Result<Vec<Array>, Fault> {
        let x = operand(operands, 0)?;
        let shape = out.fixed_shape();
        if let Some(shape) = &shape {
            self.spend(&[self.elements(shape)?])?;
        }
        let known = || {
            shape
                .clone()
                .ok_or_else(|| Fault::Invalid(format!("the extents of {out} are not known")))
        };
        self.spend(&[x.len()])?;
        let second = || operand(operands, 1);
        let one = match *index {
            Index::Gather { axis } => gather(x, second()?, axis, known()?)?,
            Index::GatherElements { axis } => gather_elements(x, second()?, axis)?,
            Index::GatherNd { batch_dims } => gather_nd(x, second()?, batch_dims, known()?)?,
            Index::ScatterElements { axis, reduction } => {
                self.scatter_elements(x, second()?, operand(operands, 2)?, axis, reduction)?
            }
            Index::ScatterNd { reduction } => {
                self.scatter_nd(x, second()?, operand(operands, 2)?, reduction)?
            }
            Index::TopK { axis, largest, .. } => return self.top_k(x, axis, largest, &known()?),
            Index::Cumulative {
                axis,
                exclusive,
                reverse,
                product,
            } => {
                check_axis(x, axis)?;
                let data =
                    each!(&x.data, v => cumulate(v, x.around(axis), exclusive, reverse, product));
                Array::new(x.dtype, x.shape.clone(), data).rounded(self.precision())
            }
            Index::NonZero => self.non_zero(x)?,
            Index::Compress { axis } => self.compress(x, second()?, axis)?,
            Index::Unique { axis, sorted } => return self.unique(x, axis, sorted),
            Index::NonMaxSuppression { center_point_box } => {
                self.non_max_suppression(operands, center_point_box)?
            }
            Index::ReverseSequence {
                batch_axis,
                time_axis,
            } => reverse_sequence(x, second()?, batch_axis, time_axis)?,
            Index::RoiAlign {
                mode_max,
                half_pixel,
                sampling_ratio,
                spatial_scale,
                output,
            } => {
                let align = super::detect::RoiAlign {
                    mode_max,
                    half_pixel,
                    sampling_ratio,
                    spatial_scale,
                    output,
                };
                self.roi_align(&align, x, second()?, operand(operands, 2)?)?
            }
            Index::Det => determinant(x, out)?.rounded(self.precision()),
            Index::Recurrent(ref r) => return self.recurrent(r, operands),
        };
        Ok(vec![one])
    }
}

/// An index that may count from the end, as an offset into `extent`.
pub fn resolve(index: i64, extent: usize) -> Result<usize, Fault> {
    let extent = extent as i64;
    let wrapped = if index < 0 {
        index.saturating_add(extent)
    } else {
        index
    };
    if (0..extent).contains(&wrapped) {
        Ok(wrapped as usize)
    } else {
        Err(Fault::OutOfRange {
            what: "index",
            value: index,
            low: -extent,
            high: extent,
        })
    }
}

pub fn check_axis(x: &Array, axis: usize) -> Result<(), Fault> {
    if axis < x.rank() {
        return Ok(());
    }
    Err(Fault::Invalid(format!(
        "axis {axis} of a value of rank {}",
        x.rank()
    )))
}

/// Takes the offsets under a shape, which must hold as many.
fn take(x: &Array, shape: Vec<usize>, offsets: &[usize]) -> Result<Array, Fault> {
    if shape.iter().product::<usize>() != offsets.len() {
        return Err(Fault::Invalid(format!(
            "{} elements for a result of shape {shape:?}",
            offsets.len()
        )));
    }
    Ok(x.take(shape, offsets))
}

fn gather(x: &Array, indices: &Array, axis: usize, shape: Vec<usize>) -> Result<Array, Fault> {
    check_axis(x, axis)?;
    let (outer, extent, inner) = x.around(axis);
    let indices = indices
        .integers()
        .into_iter()
        .map(|i| resolve(i, extent))
        .collect::<Result<Vec<_>, _>>()?;
    let mut offsets = Vec::with_capacity(outer * indices.len() * inner);
    for o in 0..outer {
        for i in &indices {
            let start = (o * extent + i) * inner;
            offsets.extend(start..start + inner);
        }
    }
    take(x, shape, &offsets)
}

/// Offsets into `x` of the elements whose coordinates are those of `indices`, but for `axis`, where the index says.
pub fn element_offsets(x: &Array, indices: &Array, axis: usize) -> Result<Vec<usize>, Fault> {
    check_axis(x, axis)?;
    let fits = indices.rank() == x.rank()
        && (0..x.rank()).all(|a| a == axis || indices.shape[a] <= x.shape[a]);
    if !fits {
        return Err(Fault::Invalid(format!(
            "indices of shape {:?} do not fit a value of shape {:?} along axis {axis}",
            indices.shape, x.shape
        )));
    }
    let (from, to) = (dense_strides(&indices.shape), dense_strides(&x.shape));
    indices
        .integers()
        .into_iter()
        .enumerate()
        .map(|(n, index)| {
            let mut offset = resolve(index, x.shape[axis])? * to[axis];
            for a in (0..x.rank()).filter(|&a| a != axis) {
                offset += n / from[a] % indices.shape[a] * to[a];
            }
            Ok(offset)
        })
        .collect()
}

fn gather_elements(x: &Array, indices: &Array, axis: usize) -> Result<Array, Fault> {
    take(
        x,
        indices.shape.clone(),
        &element_offsets(x, indices, axis)?,
    )
}

/// For every index tuple, the offset of the slice it names and the slice's length; the first `batch` axes are shared.
pub fn tuple_offsets(
    x: &Array,
    indices: &Array,
    batch: usize,
) -> Result<(Vec<usize>, usize), Fault> {
    let depth = indices.shape.last().copied().unwrap_or(0);
    let fits = indices.rank() > batch
        && batch + depth <= x.rank()
        && x.shape[..batch] == indices.shape[..batch];
    if !fits {
        return Err(Fault::Invalid(format!(
            "index tuples of shape {:?} do not fit a value of shape {:?}",
            indices.shape, x.shape
        )));
    }
    let strides = dense_strides(&x.shape);
    let slice: usize = x.shape[batch + depth..].iter().product();
    let whole: usize = x.shape[batch..].iter().product();
    let tuples: usize = indices.shape[..indices.rank() - 1].iter().product();
    let per_batch: usize = indices.shape[batch..indices.rank() - 1].iter().product();
    let values = indices.integers();
    let mut offsets = Vec::with_capacity(tuples);
    for t in 0..tuples {
        let mut offset = t / per_batch * whole;
        for d in 0..depth {
            offset += resolve(values[t * depth + d], x.shape[batch + d])? * strides[batch + d];
        }
        offsets.push(offset);
    }
    Ok((offsets, slice))
}

fn gather_nd(x: &Array, indices: &Array, batch: usize, shape: Vec<usize>) -> Result<Array, Fault> {
    let (starts, slice) = tuple_offsets(x, indices, batch)?;
    let offsets: Vec<usize> = starts.into_iter().flat_map(|s| s..s + slice).collect();
    take(x, shape, &offsets)
}

fn cumulate<T: Element>(
    v: &[T],
    (outer, extent, inner): (usize, usize, usize),
    exclusive: bool,
    reverse: bool,
    product: bool,
) -> Vec<T> {
    let mut out = v.to_vec();
    for o in 0..outer {
        for i in 0..inner {
            let mut acc = if product { T::ONE } else { T::ZERO };
            for step in 0..extent {
                let k = if reverse { extent - 1 - step } else { step };
                let at = (o * extent + k) * inner + i;
                let before = acc;
                acc = if product {
                    acc.mul(v[at])
                } else {
                    acc.add(v[at])
                };
                out[at] = if exclusive { before } else { acc };
            }
        }
    }
    out
}

fn reverse_sequence(
    x: &Array,
    lengths: &Array,
    batch_axis: usize,
    time_axis: usize,
) -> Result<Array, Fault> {
    check_axis(x, batch_axis)?;
    check_axis(x, time_axis)?;
    let (batch, time) = (x.shape[batch_axis], x.shape[time_axis]);
    let lengths = lengths.integers();
    if lengths.len() != batch {
        return Err(Fault::Invalid(format!(
            "{} lengths for {batch} sequences",
            lengths.len()
        )));
    }
    if let Some(&value) = lengths.iter().find(|l| !(0..=time as i64).contains(l)) {
        return Err(Fault::OutOfRange {
            what: "sequence length",
            value,
            low: 0,
            high: time as i64 + 1,
        });
    }
    let strides = dense_strides(&x.shape);
    let offsets: Vec<usize> = (0..x.len())
        .map(|n| {
            let length = lengths[n / strides[batch_axis] % batch] as usize;
            let t = n / strides[time_axis] % time;
            if t < length {
                n - t * strides[time_axis] + (length - 1 - t) * strides[time_axis]
            } else {
                n
            }
        })
        .collect();
    debug_assert!(!offsets.contains(&OUTSIDE));
    take(x, x.shape.clone(), &offsets)
}

/// Determinants of the matrices in the last two axes, by elimination with partial pivoting.
fn determinant(x: &Array, out: &TensorType) -> Result<Array, Fault> {
    let Some((lead, &[n, m])) = x.shape.split_last_chunk::<2>() else {
        return Err(Fault::Invalid(format!(
            "shape {:?} holds no matrices",
            x.shape
        )));
    };
    if n != m {
        return Err(Fault::Invalid(format!(
            "a matrix of {n}x{m} has no determinant"
        )));
    }
    let values = x.floats();
    let dets = match n {
        0 => vec![1.0; lead.iter().product()],
        _ => values
            .chunks(n * n)
            .map(|a| eliminate(a.to_vec(), n))
            .collect(),
    };
    Ok(Array::new(out.dtype, lead.to_vec(), Data::Float(dets)))
}

fn eliminate(mut a: Vec<f64>, n: usize) -> f64 {
    let mut det = 1.0;
    for k in 0..n {
        let magnitude = |r: usize| a[r * n + k].abs();
        let pivot = (k..n)
            .max_by(|&p, &q| magnitude(p).total_cmp(&magnitude(q)))
            .unwrap_or(k);
        if a[pivot * n + k] == 0.0 {
            return 0.0;
        }
        if pivot != k {
            det = -det;
            for c in 0..n {
                a.swap(k * n + c, pivot * n + c);
            }
        }
        det *= a[k * n + k];
        for r in k + 1..n {
            let factor = a[r * n + k] / a[k * n + k];
            for c in k..n {
                a[r * n + c] -= factor * a[k * n + c];
            }
        }
    }
    det
}
