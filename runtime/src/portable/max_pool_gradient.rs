//! The gradient of [MaxPool](https://onnx.ai/onnx/operators/onnx__MaxPool.html) with respect to its input.

use crate::error::KernelError;
use crate::operands::{Operands, by_type};
use crate::portable::number::Number;
use crate::portable::shape;
use crate::strided::dense_strides;
use crate::wire::wire_struct;
use std::cmp::Ordering;

/// Every window's gradient goes to the first of its greatest elements. Inputs: x `[N, C, d..]`, the gradient of the pooled values
/// `[N, C, o..]`. One entry a spatial axis.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPoolGradient {
    pub kernel: Vec<u64>,
    pub strides: Vec<u64>,
    pub dilations: Vec<u64>,
    /// Rows and columns of padding before the input.
    pub pads: Vec<u64>,
    /// Whether windows whose greatest element is not above 0 pass nothing back.
    pub rectified: bool,
}

wire_struct!(MaxPoolGradient {
    kernel,
    strides,
    dilations,
    pads,
    rectified
});

impl MaxPoolGradient {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let (x_dims, dy_dims) = (operands.dims(0)?.to_vec(), operands.dims(1)?.to_vec());
        let axes = self.kernel.len();
        let lists = [&self.strides, &self.dilations, &self.pads];
        if x_dims.len() != axes + 2 || lists.iter().any(|list| list.len() != axes) {
            return Err(shape("the input", format!("{axes} spatial axes"), &x_dims));
        }
        if dy_dims.len() != axes + 2 || dy_dims[..2] != x_dims[..2] {
            return Err(shape(
                "the gradient",
                format!("{:?} first", &x_dims[..2]),
                &dy_dims,
            ));
        }
        let windows = self.windows(&x_dims[2..], &dy_dims[2..]);
        let plane: usize = x_dims[2..].iter().product();
        by_type!(operands.dtype(0)?, T => {
            let (x, dy) = (operands.input::<T>(0)?, operands.input::<T>(1)?);
            operands.output::<T>(0, &x_dims, |dx| {
                dx.fill(T::ZERO);
                let gradients = dy.data.chunks_exact(windows.len().max(1));
                let planes = x.data.chunks_exact(plane.max(1)).zip(dx.chunks_exact_mut(plane.max(1)));
                for ((x, dx), dy) in planes.zip(gradients) {
                    for (cells, &d) in windows.iter().zip(dy) {
                        let winner = first_greatest(x, cells);
                        let passes = |w: &usize| !self.rectified || x[*w].order(&T::ZERO).is_gt() && !x[*w].is_nan();
                        if let Some(winner) = winner.filter(passes) {
                            dx[winner] = dx[winner].plus(d);
                        }
                    }
                }
                Ok(())
            })
        })
    }

    /// The places within a plane of the elements of every window, in row-major order.
    fn windows(&self, plane: &[usize], made: &[usize]) -> Vec<Vec<usize>> {
        let strides = dense_strides(plane);
        let mut windows = vec![vec![0]];
        for (a, &extent) in plane.iter().enumerate() {
            let reach = |o: usize| {
                let start = (o as u64 * self.strides[a]) as i64 - self.pads[a] as i64;
                let cells =
                    (0..self.kernel[a]).map(move |k| start + (k * self.dilations[a]) as i64);
                let inside = cells.filter(move |i| (0..extent as i64).contains(i));
                inside
                    .map(|i| i as usize * strides[a])
                    .collect::<Vec<usize>>()
            };
            let reaches: Vec<Vec<usize>> = (0..made[a]).map(reach).collect();
            let extend = |outer: &Vec<usize>| {
                let sum = |reach: &Vec<usize>| {
                    let add = |o: &usize| reach.iter().map(|i| o + i).collect::<Vec<_>>();
                    outer.iter().flat_map(add).collect::<Vec<usize>>()
                };
                reaches.iter().map(sum).collect::<Vec<_>>()
            };
            windows = windows.iter().flat_map(extend).collect();
        }
        windows
    }
}

/// The first element that none of the later ones exceeds.
fn first_greatest<T: Number>(x: &[T], cells: &[usize]) -> Option<usize> {
    let exceeds = |best: usize, c: usize| {
        let greater = x[c].order(&x[best]) == Ordering::Greater && !x[c].is_nan();
        if greater && !x[best].is_nan() {
            c
        } else {
            best
        }
    };
    cells.iter().copied().reduce(exceeds)
}
