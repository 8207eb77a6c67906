//! ONNX's LSTM, GRU and RNN.
//!
//! Gate order and formulas: <https://onnx.ai/onnx/operators/onnx__LSTM.html>, `onnx__GRU.html`, `onnx__RNN.html`.

use super::array::{Array, Data, round_all};
use super::run::{Operands, Run, operand, optional};
use super::{Fault, Precision};
use crate::class::{Activation, ActivationKind, Cell, Direction, Recurrent};
use crate::types::DType;

impl Run {
    /// `y[seq, direction, batch, hidden], y_h[direction, batch, hidden]` and for LSTM `y_c`.
    pub fn recurrent(&mut self, r: &Recurrent, operands: Operands) -> Result<Vec<Array>, Fault> {
        let layer = Layer::new(r, operands, self.precision())?;
        let (d, s, b, h) = (layer.directions, layer.seq, layer.batch, r.hidden);
        self.elements(&[s, d, b, h])?;
        self.spend(&[s, d, b, layer.gates * h, layer.input + h])?;
        let mut y = vec![0.0; s * d * b * h];
        let mut last = [vec![0.0; d * b * h], vec![0.0; d * b * h]];
        for direction in 0..d {
            for item in 0..b {
                let state = layer.run(direction, item, &mut y);
                for (last, state) in last.iter_mut().zip(state) {
                    let start = layer.state_offset(direction, item);
                    last[start..start + h].copy_from_slice(&state);
                }
            }
        }
        let (y_shape, state_shape) = match r.batch_first {
            true => (vec![b, s, d, h], vec![b, d, h]),
            false => (vec![s, d, b, h], vec![d, b, h]),
        };
        let array = |shape: &[usize], v| {
            Array::new(layer.dtype, shape.to_vec(), Data::Float(v)).rounded(self.precision())
        };
        let [y_h, y_c] = last;
        let mut outputs = vec![array(&y_shape, y), array(&state_shape, y_h)];
        if r.cell == Cell::Lstm {
            outputs.push(array(&state_shape, y_c));
        }
        Ok(outputs)
    }
}

/// Weights and geometry of one evaluation.
struct Layer<'a> {
    r: &'a Recurrent,
    dtype: DType,
    precision: Precision,
    directions: usize,
    gates: usize,
    seq: usize,
    batch: usize,
    input: usize,
    x: Vec<f64>,
    /// `[direction, gates * hidden, input]` and `[direction, gates * hidden, hidden]`.
    w: Vec<f64>,
    recurrence: Vec<f64>,
    /// `[direction, 2 * gates * hidden]`.
    bias: Vec<f64>,
    lengths: Vec<usize>,
    initial: [Vec<f64>; 2],
    /// `[direction, 3 * hidden]`.
    peepholes: Vec<f64>,
}

impl<'a> Layer<'a> {
    fn new(r: &'a Recurrent, operands: Operands, precision: Precision) -> Result<Layer<'a>, Fault> {
        let (x, w) = (operand(operands, 0)?, operand(operands, 1)?);
        let &[first, second, input] = &x.shape[..] else {
            return Err(Fault::Invalid(format!("a sequence of shape {:?}", x.shape)));
        };
        let (seq, batch) = if r.batch_first {
            (second, first)
        } else {
            (first, second)
        };
        let directions = if r.direction == Direction::Bidirectional {
            2
        } else {
            1
        };
        let gates = match r.cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Rnn => 1,
        };
        let rows = gates * r.hidden;
        let needed = activations(r.cell) * directions;
        if r.activations.len() < needed {
            return Err(Fault::Invalid(format!(
                "{needed} activations are needed, {} given",
                r.activations.len()
            )));
        }
        let lengths = match optional(operands, 4) {
            Some(a) => lengths(&a.integers(), batch, seq)?,
            None => vec![seq; batch],
        };
        let zeros = |i: usize, shape: &[usize]| match optional(operands, i) {
            Some(a) => floats(a, shape, i),
            None => Ok(vec![0.0; shape.iter().product()]),
        };
        let state: [usize; 3] = if r.batch_first {
            [batch, directions, r.hidden]
        } else {
            [directions, batch, r.hidden]
        };
        Ok(Layer {
            r,
            dtype: x.dtype,
            precision,
            directions,
            gates,
            seq,
            batch,
            input,
            x: x.floats(),
            w: floats(w, &[directions, rows, input], 1)?,
            recurrence: floats(operand(operands, 2)?, &[directions, rows, r.hidden], 2)?,
            bias: zeros(3, &[directions, 2 * rows])?,
            lengths,
            initial: [zeros(5, &state)?, zeros(6, &state)?],
            peepholes: zeros(7, &[directions, 3 * r.hidden])?,
        })
    }

    /// Offset of one hidden vector in the states.
    fn state_offset(&self, direction: usize, item: usize) -> usize {
        let row = if self.r.batch_first {
            item * self.directions + direction
        } else {
            direction * self.batch + item
        };
        row * self.r.hidden
    }

    /// Runs one sequence, writes its outputs into `y`, returns the last hidden and cell state.
    fn run(&self, direction: usize, item: usize, y: &mut [f64]) -> [Vec<f64>; 2] {
        let h = self.r.hidden;
        let start = self.state_offset(direction, item);
        let mut state = [0, 1].map(|k| self.initial[k][start..start + h].to_vec());
        let length = self.lengths[item];
        let backwards = direction == 1 || self.r.direction == Direction::Reverse;
        for step in 0..length {
            let t = if backwards { length - 1 - step } else { step };
            let row = if self.r.batch_first {
                item * self.seq + t
            } else {
                t * self.batch + item
            };
            let x = &self.x[row * self.input..(row + 1) * self.input];
            match self.r.cell {
                Cell::Lstm => self.lstm(direction, x, &mut state),
                Cell::Gru => self.gru(direction, x, &mut state[0]),
                Cell::Rnn => self.rnn(direction, x, &mut state[0]),
            }
            let out = match self.r.batch_first {
                true => row * self.directions + direction,
                false => (t * self.directions + direction) * self.batch + item,
            };
            y[out * h..(out + 1) * h].copy_from_slice(&state[0]);
        }
        state
    }

    /// `x W_g + Wb_g` of one gate.
    fn input_part(&self, direction: usize, gate: usize, x: &[f64]) -> Vec<f64> {
        self.affine(&self.w, direction, gate, x, 0)
    }

    /// `state R_g + Rb_g` of one gate.
    fn state_part(&self, direction: usize, gate: usize, state: &[f64]) -> Vec<f64> {
        self.affine(&self.recurrence, direction, gate, state, self.gates)
    }

    fn affine(
        &self,
        weights: &[f64],
        direction: usize,
        gate: usize,
        x: &[f64],
        bias_gate: usize,
    ) -> Vec<f64> {
        let h = self.r.hidden;
        let row = (direction * self.gates + gate) * h;
        let bias = (direction * 2 * self.gates + bias_gate + gate) * h;
        (0..h)
            .map(|j| {
                let row = &weights[(row + j) * x.len()..(row + j + 1) * x.len()];
                self.bias[bias + j] + row.iter().zip(x).map(|(a, b)| a * b).sum::<f64>()
            })
            .collect()
    }

    /// Clips, applies activation `k` of the direction, rounds.
    fn activate(&self, direction: usize, k: usize, mut v: Vec<f64>) -> Vec<f64> {
        let activation = &self.r.activations[direction * activations(self.r.cell) + k];
        for v in &mut v {
            let clipped = self.r.clip.map_or(*v, |c| v.max(-c.abs()).min(c.abs()));
            *v = apply(activation, clipped);
        }
        self.round(v)
    }

    fn round(&self, mut v: Vec<f64>) -> Vec<f64> {
        round_all(&mut v, self.dtype.compute(), self.precision);
        v
    }

    fn lstm(&self, d: usize, x: &[f64], [hidden, cell]: &mut [Vec<f64>; 2]) {
        let h = self.r.hidden;
        let gate = |g: usize| sum(&self.input_part(d, g, x), &self.state_part(d, g, hidden));
        let peep = |k: usize, cell: &[f64]| {
            let start = (d * 3 + k) * h;
            product(&self.peepholes[start..start + h], cell)
        };
        let input = self.activate(d, 0, sum(&gate(0), &peep(0, cell)));
        let forget = if self.r.input_forget {
            input.iter().map(|i| 1.0 - i).collect()
        } else {
            self.activate(d, 0, sum(&gate(2), &peep(2, cell)))
        };
        let candidate = self.activate(d, 1, gate(3));
        let next = self.round(sum(&product(&forget, cell), &product(&input, &candidate)));
        let output = self.activate(d, 0, sum(&gate(1), &peep(1, &next)));
        *hidden = self.round(product(&output, &self.activate(d, 2, next.clone())));
        *cell = next;
    }

    fn gru(&self, d: usize, x: &[f64], hidden: &mut Vec<f64>) {
        let gate = |g: usize| sum(&self.input_part(d, g, x), &self.state_part(d, g, hidden));
        let update = self.activate(d, 0, gate(0));
        let reset = self.activate(d, 0, gate(1));
        let recurrent = if self.r.linear_before_reset {
            product(&reset, &self.state_part(d, 2, hidden))
        } else {
            self.state_part(d, 2, &product(&reset, hidden))
        };
        let candidate = self.activate(d, 1, sum(&self.input_part(d, 2, x), &recurrent));
        let mixed = update
            .iter()
            .zip(candidate.iter().zip(&*hidden))
            .map(|(z, (c, h))| (1.0 - z) * c + z * h)
            .collect();
        *hidden = self.round(mixed);
    }

    fn rnn(&self, d: usize, x: &[f64], hidden: &mut Vec<f64>) {
        let total = sum(&self.input_part(d, 0, x), &self.state_part(d, 0, hidden));
        *hidden = self.activate(d, 0, total);
    }
}

/// Activations a direction has.
fn activations(cell: Cell) -> usize {
    match cell {
        Cell::Lstm => 3,
        Cell::Gru => 2,
        Cell::Rnn => 1,
    }
}

fn lengths(values: &[i64], batch: usize, seq: usize) -> Result<Vec<usize>, Fault> {
    if values.len() != batch {
        return Err(Fault::Invalid(format!(
            "{} sequence lengths for {batch} sequences",
            values.len()
        )));
    }
    if let Some(&value) = values.iter().find(|l| !(0..=seq as i64).contains(l)) {
        return Err(Fault::OutOfRange {
            what: "sequence length",
            value,
            low: 0,
            high: seq as i64 + 1,
        });
    }
    Ok(values.iter().map(|&l| l as usize).collect())
}

fn floats(a: &Array, shape: &[usize], operand: usize) -> Result<Vec<f64>, Fault> {
    if a.shape != shape {
        return Err(Fault::Invalid(format!(
            "operand {operand} must have shape {shape:?}, has {:?}",
            a.shape
        )));
    }
    Ok(a.floats())
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x + y).collect()
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x * y).collect()
}

fn apply(a: &Activation, x: f64) -> f64 {
    match a.kind {
        ActivationKind::Relu => x.max(0.0),
        ActivationKind::Tanh => x.tanh(),
        ActivationKind::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        ActivationKind::Affine => a.alpha * x + a.beta,
        ActivationKind::LeakyRelu if x < 0.0 => a.alpha * x,
        ActivationKind::LeakyRelu => x,
        ActivationKind::ThresholdedRelu if x >= a.alpha => x,
        ActivationKind::ThresholdedRelu => 0.0,
        ActivationKind::ScaledTanh => a.alpha * (a.beta * x).tanh(),
        ActivationKind::HardSigmoid => (a.alpha * x + a.beta).clamp(0.0, 1.0),
        ActivationKind::Elu if x < 0.0 => a.alpha * x.exp_m1(),
        ActivationKind::Elu => x,
        ActivationKind::Softsign => x / (1.0 + x.abs()),
        ActivationKind::Softplus => x.exp().ln_1p(),
    }
}
