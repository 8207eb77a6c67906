//! One step of a recurrent layer for one entry of a batch. The formulas are those of the ONNX operators.

use crate::portable::number::Real;
use crate::portable::recurrent::{Activation, Gru, Lstm, Rnn};
use std::ops::Range;

/// What one direction of a layer has learned, besides the input's share.
pub(super) struct Recurrent<R> {
    /// R transposed: `[hidden, gates * hidden]`.
    pub(super) weights: Vec<R>,
    /// Rb, zero where there is none.
    pub(super) bias: Vec<R>,
    /// P, empty where there is none.
    pub(super) peepholes: Vec<R>,
    pub(super) hidden: usize,
}

impl<R: Real> Recurrent<R> {
    /// The columns of gate `gate`.
    fn gate(&self, gate: usize) -> Range<usize> {
        gate * self.hidden..(gate + 1) * self.hidden
    }

    /// `out += h weights[columns]`
    fn add_product(&self, out: &mut [R], h: &[R], columns: Range<usize>) {
        let width = self.bias.len();
        for (&x, row) in h.iter().zip(self.weights.chunks_exact(width)) {
            axpy(out, x, &row[columns.clone()]);
        }
    }

    /// `out += bias[columns]`
    fn add_bias(&self, out: &mut [R], columns: Range<usize>) {
        axpy(out, R::ONE, &self.bias[columns]);
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

/// `y += a x`
pub(super) fn axpy<R: Real>(y: &mut [R], a: R, x: &[R]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = *y + a * x;
    }
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
        layer: &Recurrent<R>,
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
        layer: &Recurrent<R>,
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
        layer: &Recurrent<R>,
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
        layer: &Recurrent<R>,
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
