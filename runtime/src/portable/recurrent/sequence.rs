//! What all recurrent layers share: directions, batches, sequences of different lengths, layouts.
//!
//! Each batch entry walks through time alone; a step is one product with the rows of W and one with the rows of R, as they lie.

use crate::error::KernelError;
use crate::operands::{Array, Operands, zeroed};
use crate::portable::number::{Real, optional_reals, reals, write_reals};
use crate::portable::recurrent::Direction;
use crate::portable::recurrent::cell::{Cell, Recurrent, add_product};
use crate::portable::shape;

/// The options of a layer that say how steps follow each other.
pub(super) struct Recurrence {
    pub(super) hidden: usize,
    pub(super) direction: Direction,
    pub(super) batch_first: bool,
}

/// The extents of a layer.
#[derive(Clone, Copy)]
struct Extents {
    times: usize,
    batch: usize,
    input: usize,
    directions: usize,
    hidden: usize,
    gates: usize,
    batch_first: bool,
}

/// The inputs of a layer, checked.
struct Inputs<'a, R: Clone> {
    x: Array<'a, R>,
    w: Array<'a, R>,
    r: Array<'a, R>,
    bias: Option<Array<'a, R>>,
    lengths: Option<Array<'a, i64>>,
    peepholes: Option<Array<'a, R>>,
}

/// The states of all entries of a batch in both directions, and their history.
struct States<R> {
    /// `[times, directions, batch, hidden]`, zero behind the end of a sequence.
    y: Vec<R>,
    /// `[directions, batch, hidden]`
    h: Vec<R>,
    c: Vec<R>,
}

impl Recurrence {
    pub(super) fn run<R: Real, C: Cell>(
        &self,
        operands: &mut Operands<'_>,
        cell: &C,
    ) -> Result<(), KernelError> {
        let (extents, inputs) = self.inputs::<R, C>(operands)?;
        if cell.activations().len() != C::FUNCTIONS * extents.directions {
            return Err(KernelError::Value {
                what: "the number of activation functions",
                expected: format!("{}", C::FUNCTIONS * extents.directions),
                found: cell.activations().len() as i64,
            });
        }
        let states = extents.directions * extents.batch * extents.hidden;
        let mut states = States {
            y: zeroed(extents.times * states)?,
            h: extents.initial(operands, 5)?,
            c: if C::CELL_STATE {
                extents.initial(operands, 6)?
            } else {
                Vec::new()
            },
        };
        for direction in 0..extents.directions {
            let reversed = self.direction == Direction::Reverse || direction == 1;
            extents.walk(cell, &inputs, direction, reversed, &mut states)?;
        }
        extents.write(operands, &states, C::CELL_STATE)
    }

    fn inputs<'a, R: Real, C: Cell>(
        &self,
        operands: &Operands<'a>,
    ) -> Result<(Extents, Inputs<'a, R>), KernelError> {
        let inputs = Inputs {
            x: reals::<R>(operands, 0)?,
            w: reals::<R>(operands, 1)?,
            r: reals::<R>(operands, 2)?,
            bias: optional_reals::<R>(operands, 3)?,
            lengths: operands.has(4).then(|| operands.indices(4)).transpose()?,
            peepholes: match C::CELL_STATE {
                true => optional_reals::<R>(operands, 7)?,
                false => None,
            },
        };
        let &[first, second, input] = &inputs.x.dims[..] else {
            return Err(shape("X", "three dimensions", &inputs.x.dims));
        };
        let extents = Extents {
            times: if self.batch_first { second } else { first },
            batch: if self.batch_first { first } else { second },
            input,
            directions: if self.direction == Direction::Bidirectional {
                2
            } else {
                1
            },
            hidden: self.hidden,
            gates: C::GATES,
            batch_first: self.batch_first,
        };
        extents.check(&inputs)?;
        Ok((extents, inputs))
    }
}

impl Extents {
    fn check<R: Real>(&self, inputs: &Inputs<'_, R>) -> Result<(), KernelError> {
        let (d, rows) = (self.directions, self.gates * self.hidden);
        let expect = |what: &str, found: Option<&[usize]>, expected: &[usize]| match found {
            Some(found) if found != expected => Err(shape(what, format!("{expected:?}"), found)),
            _ => Ok(()),
        };
        expect("W", Some(&inputs.w.dims), &[d, rows, self.input])?;
        expect("R", Some(&inputs.r.dims), &[d, rows, self.hidden])?;
        expect(
            "B",
            inputs.bias.as_ref().map(|b| &b.dims[..]),
            &[d, 2 * rows],
        )?;
        expect(
            "P",
            inputs.peepholes.as_ref().map(|p| &p.dims[..]),
            &[d, 3 * self.hidden],
        )?;
        let Some(lengths) = &inputs.lengths else {
            return Ok(());
        };
        expect("sequence_lens", Some(&lengths.dims), &[self.batch])?;
        match lengths
            .data
            .iter()
            .find(|&&len| !(0..=self.times as i64).contains(&len))
        {
            None => Ok(()),
            Some(&found) => Err(KernelError::Value {
                what: "a sequence length",
                expected: format!("within 0..={}", self.times),
                found,
            }),
        }
    }

    /// A state as `[directions, batch, hidden]`; zero where input `index` is absent.
    fn initial<R: Real>(
        &self,
        operands: &Operands<'_>,
        index: usize,
    ) -> Result<Vec<R>, KernelError> {
        let mut state = zeroed(self.directions * self.batch * self.hidden)?;
        let Some(given) = optional_reals::<R>(operands, index)? else {
            return Ok(state);
        };
        if given.dims != self.state_dims() {
            return Err(shape(
                "an initial state",
                format!("{:?}", self.state_dims()),
                &given.dims,
            ));
        }
        for (row, to) in state.chunks_exact_mut(self.hidden.max(1)).enumerate() {
            let from = self.state_row(row / self.batch, row % self.batch) * self.hidden;
            to.copy_from_slice(&given.data[from..from + self.hidden]);
        }
        Ok(state)
    }

    /// The shape of a state outside.
    fn state_dims(&self) -> [usize; 3] {
        match self.batch_first {
            true => [self.batch, self.directions, self.hidden],
            false => [self.directions, self.batch, self.hidden],
        }
    }

    /// The row of a state outside.
    fn state_row(&self, direction: usize, entry: usize) -> usize {
        match self.batch_first {
            true => entry * self.directions + direction,
            false => direction * self.batch + entry,
        }
    }

    /// Takes every entry of the batch through time in one direction.
    fn walk<R: Real, C: Cell>(
        &self,
        cell: &C,
        inputs: &Inputs<'_, R>,
        direction: usize,
        reversed: bool,
        states: &mut States<R>,
    ) -> Result<(), KernelError> {
        let (n, width) = (self.hidden, self.gates * self.hidden);
        let functions = &cell.activations()[direction * C::FUNCTIONS..][..C::FUNCTIONS];
        let part = |len: usize| direction * len..(direction + 1) * len;
        let zeros = zeroed(2 * width)?;
        let bias = match &inputs.bias {
            Some(bias) => &bias.data[part(2 * width)],
            None => &zeros,
        };
        let (input_bias, recurrent_bias) = bias.split_at(width);
        let layer = Recurrent {
            weights: &inputs.r.data[part(width * n)],
            bias: recurrent_bias,
            peepholes: match &inputs.peepholes {
                Some(p) => &p.data[part(3 * n)],
                None => &[],
            },
            hidden: n,
        };
        let input_weights = &inputs.w.data[part(width * self.input)];
        let mut gates = zeroed(width)?;
        for entry in 0..self.batch {
            let length = inputs
                .lengths
                .as_ref()
                .map_or(self.times, |lengths| lengths.data[entry] as usize);
            let at = (direction * self.batch + entry) * n;
            let h = &mut states.h[at..at + n];
            let c = states.c.get_mut(at..at + n).unwrap_or_default();
            for step in 0..length {
                let time = if reversed { length - 1 - step } else { step };
                gates.copy_from_slice(input_bias);
                add_product(&mut gates, input_weights, self.x(inputs, time, entry));
                cell.step(functions, &layer, &mut gates, h, c);
                let row = (time * self.directions + direction) * self.batch + entry;
                states.y[row * n..][..n].copy_from_slice(h);
            }
        }
        Ok(())
    }

    fn x<'i, R: Real>(&self, inputs: &'i Inputs<'_, R>, time: usize, entry: usize) -> &'i [R] {
        let row = match self.batch_first {
            true => entry * self.times + time,
            false => time * self.batch + entry,
        };
        &inputs.x.data[row * self.input..][..self.input]
    }

    fn write<R: Real>(
        &self,
        operands: &mut Operands<'_>,
        states: &States<R>,
        cell_state: bool,
    ) -> Result<(), KernelError> {
        let (t, d, b, n) = (self.times, self.directions, self.batch, self.hidden);
        if !self.batch_first {
            write_reals(operands, 0, &[t, d, b, n], &states.y)?;
        } else if operands.output_dtype(0).is_some() {
            let mut y = zeroed(states.y.len())?;
            for (row, to) in y.chunks_exact_mut(n.max(1)).enumerate() {
                let (entry, time, direction) = (row / d / t, row / d % t, row % d);
                let from = (time * d + direction) * b + entry;
                to.copy_from_slice(&states.y[from * n..][..n]);
            }
            write_reals(operands, 0, &[b, t, d, n], &y)?;
        }
        self.write_state(operands, 1, &states.h)?;
        match cell_state {
            true => self.write_state(operands, 2, &states.c),
            false => Ok(()),
        }
    }

    fn write_state<R: Real>(
        &self,
        operands: &mut Operands<'_>,
        index: usize,
        state: &[R],
    ) -> Result<(), KernelError> {
        let mut outside = zeroed(state.len())?;
        for (row, from) in state.chunks_exact(self.hidden.max(1)).enumerate() {
            let to = self.state_row(row / self.batch, row % self.batch) * self.hidden;
            outside[to..to + self.hidden].copy_from_slice(from);
        }
        write_reals(operands, index, &self.state_dims(), &outside)
    }
}
