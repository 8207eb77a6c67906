//! One step of a recurrent layer for one entry of a batch. The formulas are those of the ONNX operators.

use crate::portable::number::Real;
use crate::portable::recurrent::{Activation, Gru, Lstm, Rnn};
use std::ops::Range;

/// What one direction of a layer has learned, besides the input's share.
pub(super) struct Recurrent<'a, R> {
    /// R: `[gates * hidden, hidden]`.
    pub(super) weights: &'a [R],
    /// Rb, zero where there is none.
    pub(super) bias: &'a [R],
    /// P, empty where there is none.
    pub(super) peepholes: &'a [R],
    pub(super) hidden: usize,
}

impl<R: Real> Recurrent<'_, R> {
    /// The rows of gate `gate`.
    fn gate(&self, gate: usize) -> Range<usize> {
        gate * self.hidden..(gate + 1) * self.hidden
    }

    /// `out += weights[rows] h`
    fn add_product(&self, out: &mut [R], h: &[R], rows: Range<usize>) {
        add_product(
            out,
            &self.weights[rows.start * self.hidden..rows.end * self.hidden],
            h,
        );
    }

    /// `out += bias[rows]`
    fn add_bias(&self, out: &mut [R], rows: Range<usize>) {
        for (out, &b) in out.iter_mut().zip(&self.bias[rows]) {
            *out = *out + b;
        }
    }

    /// `out += P[number] * c`
    fn add_peephole(&self, out: &mut [R], number: usize, c: &[R]) {
        if let Some(p) = self.peepholes.get(self.gate(number)) {
            for ((out, &p), &c) in out.iter_mut().zip(p).zip(c) {
                *out = *out + p * c;
            }
        }
    }
}

/// `out += matrix x`, for a row-major matrix.
pub(super) fn add_product<R: Real>(out: &mut [R], matrix: &[R], x: &[R]) {
    for (out, row) in out.iter_mut().zip(matrix.chunks_exact(x.len().max(1))) {
        *out = *out + dot(row, x);
    }
}

/// The sum of products, in as many partial sums as keep vector units busy.
fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    const LANES: usize = 16;
    let mut sums = [R::ZERO; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest = rest.fold(R::ZERO, |sum, (&a, &b)| sum + a * b);
    for (a, b) in a.zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = *sum + a * b;
        }
    }
    sums.into_iter().fold(rest, |total, sum| total + sum)
}

/// Clips to -limit..limit, then applies the function.
fn activate<R: Real>(activation: &Activation, clip: Option<f32>, values: &mut [R]) {
    if let Some(limit) = clip {
        let limit = R::from_f64(f64::from(limit));
        for value in values.iter_mut() {
            *value = value.larger(-limit).smaller(limit);
        }
    }
    activation.apply(values);
}

/// A kind of recurrent layer.
pub(super) trait Cell {
    /// Blocks of `hidden` rows in W and R.
    const GATES: usize;
    /// Activation functions a direction.
    const FUNCTIONS: usize;
    /// Whether there is a cell state besides the hidden state.
    const CELL_STATE: bool;

    /// The functions of all directions.
    fn activations(&self) -> &[Activation];

    /// Replaces the hidden state `h` and the cell state `c` (empty without one). `gates` holds `X W + Wb` and is used up.
    fn step<R: Real>(
        &self,
        functions: &[Activation],
        layer: &Recurrent<'_, R>,
        gates: &mut [R],
        h: &mut [R],
        c: &mut [R],
    );
}

impl Cell for Rnn {
    const GATES: usize = 1;
    const FUNCTIONS: usize = 1;
    const CELL_STATE: bool = false;

    fn activations(&self) -> &[Activation] {
        &self.activations
    }

    fn step<R: Real>(
        &self,
        functions: &[Activation],
        layer: &Recurrent<'_, R>,
        gates: &mut [R],
        h: &mut [R],
        _: &mut [R],
    ) {
        layer.add_product(gates, h, layer.gate(0));
        layer.add_bias(gates, layer.gate(0));
        activate(&functions[0], self.clip, gates);
        h.copy_from_slice(gates);
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const FUNCTIONS: usize = 2;
    const CELL_STATE: bool = false;

    fn activations(&self) -> &[Activation] {
        &self.activations
    }

    /// `H = (1 - z) g(..) + z H`
    fn step<R: Real>(
        &self,
        functions: &[Activation],
        layer: &Recurrent<'_, R>,
        gates: &mut [R],
        h: &mut [R],
        _: &mut [R],
    ) {
        let n = layer.hidden;
        let (zr, candidate) = gates.split_at_mut(2 * n);
        layer.add_product(zr, h, 0..2 * n);
        layer.add_bias(zr, 0..2 * n);
        activate(&functions[0], self.clip, zr);
        let (z, r) = zr.split_at_mut(n);
        if self.linear_before_reset {
            let mut linear = layer.bias[layer.gate(2)].to_vec();
            layer.add_product(&mut linear, h, layer.gate(2));
            for ((out, &r), &x) in candidate.iter_mut().zip(&*r).zip(&linear) {
                *out = *out + r * x;
            }
        } else {
            for (r, &h) in r.iter_mut().zip(&*h) {
                *r = *r * h;
            }
            layer.add_product(candidate, r, layer.gate(2));
            layer.add_bias(candidate, layer.gate(2));
        }
        activate(&functions[1], self.clip, candidate);
        for ((h, &z), &new) in h.iter_mut().zip(&*z).zip(&*candidate) {
            *h = (R::ONE - z) * new + z * *h;
        }
    }
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const FUNCTIONS: usize = 3;
    const CELL_STATE: bool = true;

    fn activations(&self) -> &[Activation] {
        &self.activations
    }

    /// `C = f C + i g(..)`, `H = o h(C)`; gates lie in the order i, o, f, c, peepholes in the order i, o, f.
    fn step<R: Real>(
        &self,
        functions: &[Activation],
        layer: &Recurrent<'_, R>,
        gates: &mut [R],
        h: &mut [R],
        c: &mut [R],
    ) {
        let n = layer.hidden;
        layer.add_product(gates, h, 0..4 * n);
        layer.add_bias(gates, 0..4 * n);
        let (io, fc) = gates.split_at_mut(2 * n);
        let ((i, o), (f, candidate)) = (io.split_at_mut(n), fc.split_at_mut(n));
        layer.add_peephole(i, 0, c);
        activate(&functions[0], self.clip, i);
        if self.input_forget {
            for (f, &i) in f.iter_mut().zip(&*i) {
                *f = R::ONE - i;
            }
        } else {
            layer.add_peephole(f, 2, c);
            activate(&functions[0], self.clip, f);
        }
        activate(&functions[1], self.clip, candidate);
        for (((c, &f), &i), &new) in c.iter_mut().zip(&*f).zip(&*i).zip(&*candidate) {
            *c = f * *c + i * new;
        }
        layer.add_peephole(o, 1, c);
        activate(&functions[0], self.clip, o);
        h.copy_from_slice(c);
        activate(&functions[2], self.clip, h);
        for (h, &o) in h.iter_mut().zip(&*o) {
            *h = o * *h;
        }
    }
}
