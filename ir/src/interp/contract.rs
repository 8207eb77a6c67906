//! Sums of products: convolutions, their transposes, products of matrices.
//!
//! One plane (or row) of the result is accumulated at a time; the innermost loop is `acc += w * x` along the last axis.

use super::Fault;
use super::array::{Array, Data, Element};
use super::matmul::{Matrices, matmul};
use super::run::{Operands, Run, operand, optional};
use crate::class::{Contract, Conv, ConvTranspose};
use crate::types::{DType, dense_strides};

impl Run {
    pub fn contract(
        &mut self,
        c: &Contract,
        operands: Operands,
        dtype: DType,
        shape: Vec<usize>,
    ) -> Result<Array, Fault> {
        let (x, w) = (operand(operands, 0)?, operand(operands, 1)?);
        let bias = optional(operands, 2);
        let data = match (&x.data, &w.data, bias.map(|b| &b.data)) {
            (Data::Float(a), Data::Float(b), None) => {
                Data::Float(self.sum(c, (x, a), (w, b), None, &shape)?)
            }
            (Data::Float(a), Data::Float(b), Some(Data::Float(bias))) => {
                Data::Float(self.sum(c, (x, a), (w, b), Some(bias), &shape)?)
            }
            (Data::Int(a), Data::Int(b), None) => {
                Data::Int(self.sum(c, (x, a), (w, b), None, &shape)?)
            }
            (Data::Int(a), Data::Int(b), Some(Data::Int(bias))) => {
                Data::Int(self.sum(c, (x, a), (w, b), Some(bias), &shape)?)
            }
            _ => return Err(Fault::Invalid("mixes integers and floats".into())),
        };
        Ok(Array::new(dtype, shape, data).rounded(self.precision()))
    }

    fn sum<T: Element>(
        &mut self,
        c: &Contract,
        x: (&Array, &[T]),
        w: (&Array, &[T]),
        bias: Option<&Vec<T>>,
        shape: &[usize],
    ) -> Result<Vec<T>, Fault> {
        let mut out = vec![T::ZERO; shape.iter().product()];
        match c {
            Contract::MatMul {
                transpose_a,
                transpose_b,
            } => {
                let (a, b) = (
                    Matrices::new(x, *transpose_a)?,
                    Matrices::new(w, *transpose_b)?,
                );
                self.spend(&[out.len(), a.cols])?;
                matmul(&a, &b, shape, &mut out)?;
            }
            Contract::Conv(conv) => {
                let g = Planes::conv(conv, x.0, w.0, shape)?;
                self.spend(&[out.len(), g.inputs, g.taps.len()])?;
                start_with_bias(&mut out, bias, shape[1], g.out_plane)?;
                g.run(x.1, w.1, &mut out, true);
            }
            Contract::ConvTranspose(conv) => {
                let g = Planes::transpose(conv, x.0, w.0, shape)?;
                self.spend(&[x.1.len(), g.outputs, g.taps.len()])?;
                start_with_bias(&mut out, bias, shape[1], g.out_plane)?;
                g.run(x.1, w.1, &mut out, false);
            }
            Contract::ConvFilter(conv) => {
                let g = Planes::filter(conv, x.0, w.0, shape)?;
                self.spend(&[w.1.len(), g.inputs, g.taps.len()])?;
                g.correlate(x.1, w.1, &mut out);
            }
        }
        Ok(out)
    }
}

fn start_with_bias<T: Element>(
    out: &mut [T],
    bias: Option<&Vec<T>>,
    channels: usize,
    plane: usize,
) -> Result<(), Fault> {
    let Some(bias) = bias else { return Ok(()) };
    if bias.len() != channels {
        return Err(Fault::Invalid(format!(
            "{} biases for {channels} channels",
            bias.len()
        )));
    }
    if plane > 0 {
        for (i, plane) in out.chunks_mut(plane).enumerate() {
            plane.fill(bias[i % channels]);
        }
    }
    Ok(())
}

/// A convolution (or its transpose) as scaled additions of runs: a tap is one kernel position.
struct Planes {
    batch: usize,
    groups: usize,
    /// Channels of a group.
    inputs: usize,
    outputs: usize,
    in_plane: usize,
    out_plane: usize,
    taps: Vec<Vec<Segment>>,
}

/// Output elements `out, out + out_step, ...` take input elements `input, input + in_step, ...`, `len` of them.
struct Segment {
    out: usize,
    out_step: usize,
    input: usize,
    in_step: usize,
    len: usize,
}

impl Planes {
    fn conv(c: &Conv, x: &Array, w: &Array, shape: &[usize]) -> Result<Planes, Fault> {
        let spatial = x.rank().saturating_sub(2);
        let geometry = [&c.kernel, &c.strides, &c.dilations, &c.pads_begin];
        let fits = x.rank() >= 2
            && w.rank() == x.rank()
            && shape.len() == x.rank()
            && geometry.iter().all(|v| v.len() == spatial)
            && w.shape[2..] == c.kernel[..]
            && c.groups > 0
            && w.shape[1].checked_mul(c.groups) == Some(x.shape[1])
            && w.shape[0].is_multiple_of(c.groups)
            && shape[..2] == [x.shape[0], w.shape[0]];
        if !fits {
            return Err(misfit(x, w, shape));
        }
        // out + offset = input, in units of strides.
        let shift: Vec<i64> = c.pads_begin.iter().map(|&p| -(p as i64)).collect();
        let taps = taps(
            &c.kernel,
            &c.dilations,
            &shift,
            &shape[2..],
            &x.shape[2..],
            &c.strides,
        );
        Ok(Planes {
            batch: x.shape[0],
            groups: c.groups,
            inputs: w.shape[1],
            outputs: w.shape[0] / c.groups,
            in_plane: x.shape[2..].iter().product(),
            out_plane: shape[2..].iter().product(),
            taps,
        })
    }

    fn transpose(
        c: &ConvTranspose,
        x: &Array,
        w: &Array,
        shape: &[usize],
    ) -> Result<Planes, Fault> {
        let spatial = x.rank().saturating_sub(2);
        let geometry = [&c.kernel, &c.strides, &c.dilations, &c.output];
        let fits = x.rank() >= 2
            && w.rank() == x.rank()
            && shape.len() == x.rank()
            && geometry.iter().all(|v| v.len() == spatial)
            && c.pads_begin.len() == spatial
            && w.shape[2..] == c.kernel[..]
            && c.groups > 0
            && w.shape[0] == x.shape[1]
            && x.shape[1].is_multiple_of(c.groups)
            && w.shape[1].checked_mul(c.groups) == Some(shape[1])
            && shape[0] == x.shape[0];
        if !fits {
            return Err(misfit(x, w, shape));
        }
        let shift: Vec<i64> = c.pads_begin.iter().map(|&p| p.saturating_neg()).collect();
        // The same geometry as the convolution it is the gradient of, with the sides exchanged.
        let mut taps = taps(
            &c.kernel,
            &c.dilations,
            &shift,
            &x.shape[2..],
            &shape[2..],
            &c.strides,
        );
        for s in taps.iter_mut().flatten() {
            std::mem::swap(&mut s.out, &mut s.input);
            std::mem::swap(&mut s.out_step, &mut s.in_step);
        }
        Ok(Planes {
            batch: x.shape[0],
            groups: c.groups,
            inputs: x.shape[1] / c.groups,
            outputs: w.shape[1],
            in_plane: x.shape[2..].iter().product(),
            out_plane: shape[2..].iter().product(),
            taps,
        })
    }

    /// The planes of a filter gradient; `dy` is the gradient of the output.
    fn filter(c: &Conv, x: &Array, dy: &Array, shape: &[usize]) -> Result<Planes, Fault> {
        // The convolution that these are the input, the output and the weights of.
        let zeros = Data::Float(vec![0.0; shape.iter().product()]);
        let weights = Array::new(x.dtype, shape.to_vec(), zeros);
        Planes::conv(c, x, &weights, &dy.shape)
    }

    /// `w[m, c, tap] = sum over images and positions of dy[n, m] x[n, c]`.
    fn correlate<T: Element>(&self, x: &[T], dy: &[T], w: &mut [T]) {
        let (total_in, total_out) = (self.inputs * self.groups, self.outputs * self.groups);
        for n in 0..self.batch {
            for m in 0..total_out {
                let group = m / self.outputs;
                let dy = &dy[(n * total_out + m) * self.out_plane..][..self.out_plane];
                for c in 0..self.inputs {
                    let channel = group * self.inputs + c;
                    let x = &x[(n * total_in + channel) * self.in_plane..][..self.in_plane];
                    let row = &mut w[(m * self.inputs + c) * self.taps.len()..];
                    for (weight, segments) in row.iter_mut().zip(&self.taps) {
                        for s in segments {
                            *weight = s.dot(dy, x, *weight);
                        }
                    }
                }
            }
        }
    }

    /// `w[m, c, tap]`, or where not `output_major` `w[c, m, tap]`, `m` and `c` counted over all groups.
    fn run<T: Element>(&self, x: &[T], w: &[T], out: &mut [T], output_major: bool) {
        let (total_in, total_out) = (self.inputs * self.groups, self.outputs * self.groups);
        for n in 0..self.batch {
            for m in 0..total_out {
                let group = m / self.outputs;
                let start = (n * total_out + m) * self.out_plane;
                let acc = &mut out[start..start + self.out_plane];
                for c in 0..self.inputs {
                    let channel = group * self.inputs + c;
                    let start = (n * total_in + channel) * self.in_plane;
                    let plane = &x[start..start + self.in_plane];
                    let row = if output_major {
                        m * self.inputs + c
                    } else {
                        channel * self.outputs + m % self.outputs
                    };
                    let weights = &w[row * self.taps.len()..];
                    for (&weight, segments) in weights.iter().zip(&self.taps) {
                        for s in segments {
                            s.accumulate(acc, plane, weight);
                        }
                    }
                }
            }
        }
    }
}

impl Segment {
    /// `sum` plus the products of the elements that meet.
    fn dot<T: Element>(&self, out: &[T], input: &[T], sum: T) -> T {
        let out = out[self.out..].iter().step_by(self.out_step);
        let input = input[self.input..].iter().step_by(self.in_step);
        let pairs = out.zip(input).take(self.len);
        pairs.fold(sum, |sum, (&a, &b)| sum.add(a.mul(b)))
    }

    fn accumulate<T: Element>(&self, acc: &mut [T], x: &[T], weight: T) {
        if self.out_step == 1 && self.in_step == 1 {
            axpy(
                &mut acc[self.out..self.out + self.len],
                &x[self.input..self.input + self.len],
                weight,
            );
        } else {
            let out = acc[self.out..].iter_mut().step_by(self.out_step);
            let input = x[self.input..].iter().step_by(self.in_step);
            for (a, &v) in out.zip(input).take(self.len) {
                *a = a.add(v.mul(weight));
            }
        }
    }
}

/// `acc += weight * x`, the loop everything here comes down to.
pub fn axpy<T: Element>(acc: &mut [T], x: &[T], weight: T) {
    for (a, &v) in acc.iter_mut().zip(x) {
        *a = a.add(v.mul(weight));
    }
}

fn misfit(x: &Array, w: &Array, shape: &[usize]) -> Fault {
    Fault::Invalid(format!(
        "the geometry does not fit an input of shape {:?}, weights of shape {:?} and a result of shape {shape:?}",
        x.shape, w.shape
    ))
}

/// For every kernel position, the runs along the last axis: `near[o]` meets `far[o * stride + k * dilation + shift]`.
fn taps(
    kernel: &[usize],
    dilations: &[usize],
    shift: &[i64],
    near: &[usize],
    far: &[usize],
    strides: &[usize],
) -> Vec<Vec<Segment>> {
    // Without spatial axes there is one position that meets itself.
    let mut partial: Vec<Vec<Segment>> = vec![vec![Segment {
        out: 0,
        out_step: 1,
        input: 0,
        in_step: 1,
        len: 1,
    }]];
    let (near_strides, far_strides) = (dense_strides(near), dense_strides(far));
    for axis in 0..kernel.len() {
        let last = axis + 1 == kernel.len();
        let mut next = Vec::with_capacity(partial.len() * kernel[axis]);
        for segments in &partial {
            for k in 0..kernel[axis] {
                let offset = (k * dilations[axis]) as i64 + shift[axis];
                let range = meeting(near[axis], far[axis], strides[axis], offset);
                let place = |s: &Segment, o: usize, len: usize| Segment {
                    out: s.out + o * near_strides[axis],
                    input: s.input
                        + (o as i64 * strides[axis] as i64 + offset) as usize * far_strides[axis],
                    out_step: 1,
                    in_step: strides[axis],
                    len,
                };
                next.push(match last {
                    true if range.is_empty() => Vec::new(),
                    true => segments
                        .iter()
                        .map(|s| place(s, range.start, range.len()))
                        .collect(),
                    false => segments
                        .iter()
                        .flat_map(|s| range.clone().map(move |o| place(s, o, 1)))
                        .collect(),
                });
            }
        }
        partial = next;
    }
    partial
}

/// The `o` in `0..near` for which `o * stride + offset` lies in `0..far`.
fn meeting(near: usize, far: usize, stride: usize, offset: i64) -> std::ops::Range<usize> {
    let stride = stride.max(1) as i64;
    let low = (-offset).max(0).div_ceil_by(stride).min(near as i64);
    let high = (far as i64 - offset)
        .max(0)
        .div_ceil_by(stride)
        .min(near as i64);
    low as usize..high.max(low) as usize
}

/// Rounding-up division of numbers that are not negative.
trait DivCeil {
    fn div_ceil_by(self, divisor: i64) -> i64;
}
impl DivCeil for i64 {
    fn div_ceil_by(self, divisor: i64) -> i64 {
        (self as u64).div_ceil(divisor as u64) as i64
    }
}
