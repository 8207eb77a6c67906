//! LSTM, GRU and RNN written out step by step, since gradients are taken of what they consist of.
//!
//! `x W' + b` of all steps is one product; a step adds `h R'` and applies the activations. Where sequences have lengths of their own, a
//! step keeps the state of those that have ended. Formulas as in [`crate::ops`], `lstm.rs`, `gru.rs` and `rnn.rs`.

use super::{Refusal, Sweep};
use crate::attrs::{AttrValue, Attrs};
use crate::class::{Activation, ActivationKind, Cell, Direction, Recurrent};
use crate::compose::Composer;
use crate::expr::Ex;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::schema::TypeError;
use crate::types::DType;

impl Sweep {
    /// The results of a recurrent operator as simpler operators make them.
    pub(super) fn written_out(
        &mut self,
        r: &Recurrent,
        inputs: &[Option<Value>],
    ) -> Result<Vec<Value>, Refusal> {
        let operand = |k: usize| inputs.get(k).copied().flatten();
        let x = operand(0).ok_or("its sequences are missing")?;
        let mut shape = self.shape(x)?;
        let mut writer = Writer {
            dtype: self.graph().ty(x).dtype,
            c: &mut self.composer,
            r,
            operands: (0..8).map(operand).collect(),
            steps: 0,
            batch: 0,
        };
        let mut x = x;
        if r.batch_first {
            x = writer.c.transpose(x, &[1, 0, 2])?;
            shape.swap(0, 1);
            for k in [5, 6] {
                let state = writer.operands[k];
                let turned = state.map(|state| writer.c.transpose(state, &[1, 0, 2]));
                writer.operands[k] = turned.transpose()?;
            }
        }
        (writer.steps, writer.batch) = (shape[0], shape[1]);
        if writer.steps == 0 {
            return Err("a sequence without steps has no gradient".into());
        }
        Ok(writer.layer(x, shape[2])?)
    }
}

struct Writer<'a> {
    c: &'a mut Composer,
    r: &'a Recurrent,
    operands: Vec<Option<Value>>,
    dtype: DType,
    steps: usize,
    batch: usize,
}

/// What one direction is made of; states are `[batch, hidden]`.
struct Line {
    direction: usize,
    /// `[gates * hidden, hidden]`.
    recurrence: Value,
    /// Of the recurrent product of a GRU that resets behind it, `[3 * hidden]`.
    inner_bias: Option<Value>,
    /// Input, output and forget gate's, `[hidden]`.
    peepholes: Option<Vec<Value>>,
}

impl Writer<'_> {
    fn gates(&self) -> usize {
        match self.r.cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Rnn => 1,
        }
    }

    /// `y`, the last hidden and the last cell state.
    fn layer(&mut self, x: Value, features: usize) -> Result<Vec<Value>, TypeError> {
        let directions: &[bool] = match self.r.direction {
            Direction::Forward => &[false],
            Direction::Reverse => &[true],
            Direction::Bidirectional => &[false, true],
        };
        let mut made = Vec::new();
        for (direction, &backwards) in directions.iter().enumerate() {
            made.push(self.direction(x, features, direction, backwards)?);
        }
        let column = |k: usize| -> Vec<Value> { made.iter().map(|results| results[k]).collect() };
        let mut results = vec![self.c.concat(&column(0), 1)?];
        for k in 1..made[0].len() {
            results.push(self.c.concat(&column(k), 0)?);
        }
        if self.r.batch_first {
            results[0] = self.c.transpose(results[0], &[2, 0, 1, 3])?;
            for state in &mut results[1..] {
                *state = self.c.transpose(*state, &[1, 0, 2])?;
            }
        }
        Ok(results)
    }

    /// One direction: `[steps, 1, batch, hidden]` and states `[1, batch, hidden]`.
    fn direction(
        &mut self,
        mut x: Value,
        features: usize,
        direction: usize,
        backwards: bool,
    ) -> Result<Vec<Value>, TypeError> {
        let lengths = self.operands[4];
        if let (Some(lengths), true) = (lengths, backwards) {
            x = self.reversed(x, lengths)?;
        }
        let (line, parts) = self.line(x, features, direction)?;
        let mut state = self.initial(direction)?;
        let mut outputs = vec![x; self.steps];
        for step in 0..self.steps {
            let t = match backwards && lengths.is_none() {
                true => self.steps - 1 - step,
                false => step,
            };
            let mut next = self.step(&line, parts[t], &state)?;
            let mut output = next[0];
            if let Some(lengths) = lengths {
                let goes = Ex::int(DType::I32, t as i64).lt(&Ex::arg(0, DType::I32));
                let lengths = self.c.reshape(lengths, &[self.batch, 1])?;
                for (new, old) in next.iter_mut().zip(&state) {
                    let [a, b] = [1, 2].map(|k| Ex::arg(k, self.dtype));
                    *new = self.map(&goes.select(&a, &b), &[lengths, *new, *old])?;
                }
                let new = Ex::arg(1, self.dtype);
                let held = goes.select(&new, &new.lit(0.0));
                output = self.map(&held, &[lengths, output])?;
            }
            state = next;
            outputs[t] = self.c.reshape(output, &[1, self.batch, self.r.hidden])?;
        }
        let mut y = self.c.concat(&outputs, 0)?;
        if let (Some(lengths), true) = (lengths, backwards) {
            y = self.reversed(y, lengths)?;
        }
        let (steps, batch, hidden) = (self.steps, self.batch, self.r.hidden);
        let mut results = vec![self.c.reshape(y, &[steps, 1, batch, hidden])?];
        for last in state {
            results.push(self.c.reshape(last, &[1, batch, hidden])?);
        }
        Ok(results)
    }

    fn reversed(&mut self, x: Value, lengths: Value) -> Result<Value, TypeError> {
        let lengths = self.c.cast(lengths, DType::I64)?;
        self.c.op(OpKind::ReverseSequence, &[x, lengths])
    }

    /// Operand `k` of a direction as a matrix or vector of that shape.
    fn of(
        &mut self,
        k: usize,
        direction: usize,
        shape: &[usize],
    ) -> Result<Option<Value>, TypeError> {
        let Some(whole) = self.operands[k] else {
            return Ok(None);
        };
        let start = direction as i64;
        let part = self.c.slice(whole, 0, start, start + 1)?;
        self.c.reshape(part, shape).map(Some)
    }

    /// The weights of a direction, and what the inputs add to the gates of every step, `[batch, gates * hidden]`.
    fn line(
        &mut self,
        x: Value,
        features: usize,
        direction: usize,
    ) -> Result<(Line, Vec<Value>), TypeError> {
        let hidden = self.r.hidden;
        let rows = self.gates() * hidden;
        let missing = || TypeError::Invalid {
            op: "Recurrent",
            message: "its weights are missing".to_string(),
        };
        let weights = self.of(1, direction, &[rows, features])?;
        let recurrence = self.of(2, direction, &[rows, hidden])?;
        let (weights, recurrence) = (
            weights.ok_or_else(missing)?,
            recurrence.ok_or_else(missing)?,
        );
        let (mut bias, mut inner_bias) = (None, None);
        if let Some(both) = self.of(3, direction, &[2 * rows])? {
            let [of_input, of_state] = self.split(both, 0, 2)?[..] else {
                return Err(missing());
            };
            if self.r.linear_before_reset && self.r.cell == Cell::Gru {
                (bias, inner_bias) = (Some(of_input), Some(of_state));
            } else {
                bias = Some(self.c.op(OpKind::Add, &[of_input, of_state])?);
            }
        }
        let flat = self.c.reshape(x, &[self.steps * self.batch, features])?;
        let product = self.product(flat, weights, bias)?;
        let parts = self.split(product, 0, self.steps)?;
        let peepholes = match self.of(7, direction, &[3 * hidden])? {
            Some(all) => Some(self.split(all, 0, 3)?),
            None => None,
        };
        let line = Line {
            direction,
            recurrence,
            inner_bias,
            peepholes,
        };
        Ok((line, parts))
    }

    /// `x w' + b`.
    fn product(&mut self, x: Value, w: Value, b: Option<Value>) -> Result<Value, TypeError> {
        let operands: Vec<Value> = [x, w].into_iter().chain(b).collect();
        let turned = [("transB", AttrValue::Int(1))];
        self.c.with(OpKind::Gemm, &operands, turned)
    }

    fn split(&mut self, x: Value, axis: i64, parts: usize) -> Result<Vec<Value>, TypeError> {
        if parts == 1 {
            return Ok(vec![x]);
        }
        let attrs = Attrs::from([
            ("axis".to_string(), AttrValue::Int(axis)),
            ("num_outputs".to_string(), AttrValue::Int(parts as i64)),
        ]);
        self.c.multi(OpKind::Split, vec![Some(x)], attrs, parts)
    }

    /// Hidden state and, of an LSTM, cell state before the first step.
    fn initial(&mut self, direction: usize) -> Result<Vec<Value>, TypeError> {
        let shape = [self.batch, self.r.hidden];
        let operands = match self.r.cell {
            Cell::Lstm => &[5, 6][..],
            Cell::Gru | Cell::Rnn => &[5],
        };
        let mut states = Vec::new();
        for &k in operands {
            let given = self.of(k, direction, &shape)?;
            states.push(match given {
                Some(state) => state,
                None => {
                    let zero = self.c.scalar(self.dtype, 0.0);
                    self.c.expand(zero, &shape)?
                }
            });
        }
        Ok(states)
    }

    /// The next states.
    fn step(
        &mut self,
        line: &Line,
        input: Value,
        state: &[Value],
    ) -> Result<Vec<Value>, TypeError> {
        let d = self.dtype;
        let hidden = state[0];
        let arg = |k: usize| Ex::arg(k, d);
        let both = arg(0) + arg(1);
        match self.r.cell {
            Cell::Rnn => {
                let product = self.product(hidden, line.recurrence, None)?;
                let next = self.activation(line, 0, both);
                Ok(vec![self.map(&next, &[input, product])?])
            }
            Cell::Gru => self.gru(line, input, hidden),
            Cell::Lstm => self.lstm(line, input, [hidden, state[1]]),
        }
    }

    /// `i, o, f, g` one after the other.
    fn lstm(
        &mut self,
        line: &Line,
        input: Value,
        [hidden, cell]: [Value; 2],
    ) -> Result<Vec<Value>, TypeError> {
        let arg = |k: usize, d| Ex::arg(k, d);
        let d = self.dtype;
        let product = self.product(hidden, line.recurrence, None)?;
        let sums = self.c.op(OpKind::Add, &[input, product])?;
        let gates = self.split(sums, 1, 4)?;
        let peep = |k: usize| line.peepholes.as_ref().map(|all| all[k]);
        let i = self.gate(line, gates[0], peep(0), cell)?;
        let g = self.activation(line, 1, arg(0, d));
        let g = self.map(&g, &[gates[3]])?;
        let [a, b, e, f] = [0, 1, 2, 3].map(|k| arg(k, d));
        let next = if self.r.input_forget {
            let kept = a.lit(1.0) - &a;
            self.map(&(kept * &e + &a * &b), &[i, g, cell])?
        } else {
            let forget = self.gate(line, gates[2], peep(2), cell)?;
            self.map(&(&f * &e + &a * &b), &[i, g, cell, forget])?
        };
        let o = self.gate(line, gates[1], peep(1), next)?;
        let shown = self.activation(line, 2, arg(1, d));
        let shown = self.map(&(arg(0, d) * shown), &[o, next])?;
        Ok(vec![shown, next])
    }

    /// `f(sum + p . cell)`.
    fn gate(
        &mut self,
        line: &Line,
        sum: Value,
        peephole: Option<Value>,
        cell: Value,
    ) -> Result<Value, TypeError> {
        let [s, p, c] = [0, 1, 2].map(|k| Ex::arg(k, self.dtype));
        match peephole {
            None => {
                let gate = self.activation(line, 0, s);
                self.map(&gate, &[sum])
            }
            Some(peephole) => {
                let gate = self.activation(line, 0, s + p * c);
                self.map(&gate, &[sum, peephole, cell])
            }
        }
    }

    /// `z, r, h` one after the other: `h' = (1 - z) g(x_h + r . (h R_h' + b)) + z h`, or the reset before the product.
    fn gru(&mut self, line: &Line, input: Value, hidden: Value) -> Result<Vec<Value>, TypeError> {
        let d = self.dtype;
        let [a, b, e] = [0, 1, 2].map(|k| Ex::arg(k, d));
        let inputs = self.split(input, 1, 3)?;
        let gate = self.activation(line, 0, &a + &b);
        let (update, candidate) = if self.r.linear_before_reset {
            let product = self.product(hidden, line.recurrence, line.inner_bias)?;
            let sums = self.split(product, 1, 3)?;
            let update = self.map(&gate, &[inputs[0], sums[0]])?;
            let reset = self.map(&gate, &[inputs[1], sums[1]])?;
            let candidate = self.activation(line, 1, &a + &(&b * &e));
            (update, self.map(&candidate, &[inputs[2], reset, sums[2]])?)
        } else {
            let weights = self.split(line.recurrence, 0, 3)?;
            let mut gates = Vec::new();
            for k in 0..2 {
                let product = self.product(hidden, weights[k], None)?;
                gates.push(self.map(&gate, &[inputs[k], product])?);
            }
            let held = self.c.op(OpKind::Mul, &[gates[1], hidden])?;
            let product = self.product(held, weights[2], None)?;
            let candidate = self.activation(line, 1, &a + &b);
            (gates[0], self.map(&candidate, &[inputs[2], product])?)
        };
        let mixed = (a.lit(1.0) - &a) * &b + &a * &e;
        Ok(vec![self.map(&mixed, &[update, candidate, hidden])?])
    }

    fn map(&mut self, expr: &Ex, operands: &[Value]) -> Result<Value, TypeError> {
        self.c.with(
            OpKind::Map,
            operands,
            [
                ("dtype", AttrValue::DType(self.dtype)),
                ("expr", AttrValue::Expr(expr.finish())),
            ],
        )
    }

    /// Activation `k` of the direction, of the value held to the bounds of `clip`.
    fn activation(&self, line: &Line, k: usize, x: Ex) -> Ex {
        let x = match self.r.clip {
            Some(clip) => x.clamp(-clip.abs(), clip.abs()),
            None => x,
        };
        let each = match self.r.cell {
            Cell::Lstm => 3,
            Cell::Gru => 2,
            Cell::Rnn => 1,
        };
        applied(&self.r.activations[line.direction * each + k], &x)
    }
}

/// An activation as an expression.
fn applied(a: &Activation, x: &Ex) -> Ex {
    let zero = x.lit(0.0);
    match a.kind {
        ActivationKind::Relu => x.max(&zero),
        ActivationKind::Tanh => x.tanh(),
        ActivationKind::Sigmoid => x.sigmoid(),
        ActivationKind::Affine => x * a.alpha + a.beta,
        ActivationKind::LeakyRelu => x.lt(&zero).select(&(x * a.alpha), x),
        ActivationKind::ThresholdedRelu => x.lit(a.alpha).le(x).select(x, &zero),
        ActivationKind::ScaledTanh => (x * a.beta).tanh() * a.alpha,
        ActivationKind::HardSigmoid => (x * a.alpha + a.beta).clamp(0.0, 1.0),
        ActivationKind::Elu => x.lt(&zero).select(&((x.exp() - 1.0) * a.alpha), x),
        ActivationKind::Softsign => x / &(x.abs() + 1.0),
        ActivationKind::Softplus => (x.exp() + 1.0).log(),
    }
}
