//! The loops of a nest: chunks, counted loops with moving pointers, guards.
//!
//! Loop-carried values (counters, pointers, accumulators) are block parameters. A level leaves pointers and counters as it found them.

use super::Emitter;
use super::shape::{clamps, fixed};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value};

/// The values a level carries through: accumulators.
pub(super) type State = Vec<Value>;

/// What a level does at each iteration.
pub(super) type Body<'f, 'n, 'b> = &'f mut dyn FnMut(&mut Emitter<'n, 'b>, State) -> State;

impl<'n, 'b> Emitter<'n, 'b> {
    /// `for chunk in lo..hi`.
    pub fn chunks(&mut self, lo: Value, hi: Value) {
        let (head, body, done) = (
            self.builder.create_block(),
            self.builder.create_block(),
            self.builder.create_block(),
        );
        let chunk = self.builder.append_block_param(head, I64);
        self.builder.ins().jump(head, &[lo.into()]);
        self.builder.switch_to_block(head);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, chunk, hi);
        self.builder.ins().brif(more, body, &[], done, &[]);
        self.builder.switch_to_block(body);
        let pointers = self.pointers.clone();
        let digits = self.digits(chunk);
        self.outer(0, &digits);
        self.pointers = pointers;
        let next = self.builder.ins().iadd_imm_s(chunk, 1);
        self.builder.ins().jump(head, &[next.into()]);
        self.builder.switch_to_block(done);
    }

    /// The chunk's number as counters of the outer loops and, last, the number of the piece of the cut loop.
    fn digits(&mut self, chunk: Value) -> Vec<Value> {
        let mut radices: Vec<u64> = self.nest.loops[..self.shape.outer]
            .iter()
            .map(|l| l.extent.upper())
            .collect();
        if let Some(grain) = self.shape.grain {
            let extent = self.nest.loops[self.shape.outer].extent.upper();
            radices.push(extent.div_ceil(grain));
        }
        let mut rest = chunk;
        let mut digits = Vec::new();
        for (k, &radix) in radices.iter().enumerate().rev() {
            if k == 0 {
                digits.push(rest);
                break;
            }
            let radix = self.iconst(radix.max(1) as i64);
            digits.push(self.builder.ins().urem(rest, radix));
            rest = self.builder.ins().udiv(rest, radix);
        }
        digits.reverse();
        digits
    }

    /// Fixes the counters of the outer loops, then runs the rest.
    fn outer(&mut self, counter: usize, digits: &[Value]) {
        if counter == self.shape.outer {
            let range = self.cut(counter, digits);
            self.parallel(counter, range);
            return;
        }
        let value = digits[counter];
        self.counters[counter] = Some(value);
        self.advance(counter, value);
        let mut conditions = Vec::new();
        if fixed(self.nest.loops[counter].extent).is_none() {
            let extent = self.extent(self.nest.loops[counter].extent);
            conditions.push(
                self.builder
                    .ins()
                    .icmp(IntCC::UnsignedLessThan, value, extent),
            );
        }
        let nest = self.nest;
        for guard in nest
            .guards
            .iter()
            .filter(|g| clamps(&g.coordinate) == Some(counter))
        {
            conditions.push(self.holds(guard));
        }
        self.enter(counter, conditions, Vec::new(), &mut |this, state| {
            this.outer(counter + 1, digits);
            state
        });
        self.counters[counter] = None;
    }

    /// The piece of the cut loop that the chunk does.
    fn cut(&mut self, counter: usize, digits: &[Value]) -> Option<(Value, Value)> {
        let grain = self.shape.grain?;
        let start = self.scale(digits[counter], grain as i64);
        let end = self.add(start, grain as i64);
        let extent = self.extent(self.nest.loops[counter].extent);
        Some((start, self.smaller(end, extent)))
    }

    /// The parallel loops from `counter` on.
    fn parallel(&mut self, counter: usize, range: Option<(Value, Value)>) {
        let last = self.nest.parallel();
        if counter == last {
            let state = self.at_constants(Vec::new(), &mut |this, state| {
                this.element(1, 1);
                state
            });
            debug_assert!(state.is_empty());
            return;
        }
        let range = self.range(counter, range);
        if counter + 1 == last {
            self.innermost(counter, range);
            return;
        }
        self.counted(counter, range, 1, Vec::new(), &mut |this, state| {
            this.parallel(counter + 1, None);
            state
        });
    }

    /// The innermost parallel loop: unrolled vectors, vectors, single elements.
    fn innermost(&mut self, counter: usize, range: (Value, Value)) {
        let hoisted = self.hoist(counter);
        let vector = self.shape.vector.filter(|v| v.counter == counter);
        self.in_strips(
            counter,
            range,
            vector,
            Vec::new(),
            &mut |this, lanes, units, state| {
                this.element(lanes, units);
                state
            },
        );
        self.unhoist(hoisted);
    }

    /// Runs a loop in strips of `units` vectors, then of one, then of one element.
    pub fn in_strips(
        &mut self,
        counter: usize,
        (mut start, end): (Value, Value),
        vector: Option<super::Vector>,
        mut state: State,
        body: &mut dyn FnMut(&mut Self, usize, usize, State) -> State,
    ) -> State {
        let mut strips = vec![(1, 1)];
        if let Some(v) = vector {
            strips.insert(0, (v.lanes, 1));
            if v.units > 1 {
                strips.insert(0, (v.lanes, v.units));
            }
        }
        for (lanes, units) in strips {
            let step = (lanes * units) as i64;
            let stop = if step == 1 {
                end
            } else {
                self.whole_strips(start, end, step)
            };
            state = self.counted(counter, (start, stop), step, state, &mut |this, state| {
                body(this, lanes, units, state)
            });
            start = stop;
        }
        state
    }

    /// The end of the whole strips of `step` (a power of two) between `start` and `end`.
    fn whole_strips(&mut self, start: Value, end: Value, step: i64) -> Value {
        if let (Some(a), Some(b)) = (self.constant(start), self.constant(end)) {
            return self.iconst(a + ((b - a).max(0) & -step));
        }
        let length = self.builder.ins().isub(end, start);
        let whole = self.builder.ins().band_imm_s(length, -step);
        let zero = self.iconst(0);
        let whole = self.larger(whole, zero);
        self.builder.ins().iadd(start, whole)
    }

    /// `for counter in (start..end).step_by(step)`; the steps fit exactly.
    pub fn counted(
        &mut self,
        counter: usize,
        (start, end): (Value, Value),
        step: i64,
        state: State,
        body: Body<'_, 'n, 'b>,
    ) -> State {
        let known = self.constant(start).zip(self.constant(end));
        if known.is_some_and(|(a, b)| a >= b) {
            return state;
        }
        let outside = self.pointers.clone();
        self.advance(counter, start);
        let state = match known {
            Some((a, b)) if b - a == step => {
                self.counters[counter] = Some(start);
                self.enter(counter, Vec::new(), state, body)
            }
            _ => self.repeat(counter, (start, end), step, known.is_some(), state, body),
        };
        self.counters[counter] = None;
        self.pointers = outside;
        state
    }

    /// Parameters of a block, of the types of the state.
    pub fn parameters(&mut self, block: Block, state: &State) -> State {
        let types = state.iter().map(|&v| self.builder.func.dfg.value_type(v));
        let types: Vec<_> = types.collect();
        types
            .into_iter()
            .map(|t| self.builder.append_block_param(block, t))
            .collect()
    }

    /// The loop proper, tested at its end; `entered` says that it runs at least once.
    fn repeat(
        &mut self,
        counter: usize,
        (start, end): (Value, Value),
        step: i64,
        entered: bool,
        state: State,
        body: Body<'_, 'n, 'b>,
    ) -> State {
        let moving: Vec<usize> = (0..self.streams.len())
            .filter(|&k| self.streams[k].stride(counter) != 0)
            .collect();
        let (head, done) = (self.builder.create_block(), self.builder.create_block());
        let index = self.builder.append_block_param(head, I64);
        let walking: Vec<Value> = moving
            .iter()
            .map(|_| self.builder.append_block_param(head, I64))
            .collect();
        let inner = self.parameters(head, &state);
        let outer = self.parameters(done, &state);
        let first = arguments(
            [start]
                .into_iter()
                .chain(moving.iter().map(|&k| self.pointers[k]))
                .chain(state.iter().copied()),
        );
        if entered {
            self.builder.ins().jump(head, &first);
        } else {
            let some = self.builder.ins().icmp(IntCC::SignedLessThan, start, end);
            let skipped = arguments(state);
            self.builder.ins().brif(some, head, &first, done, &skipped);
        }
        self.builder.switch_to_block(head);
        self.counters[counter] = Some(index);
        for (&k, &pointer) in moving.iter().zip(&walking) {
            self.pointers[k] = pointer;
        }
        let state = self.enter(counter, Vec::new(), inner, body);
        let next = self.builder.ins().iadd_imm_s(index, step);
        let mut again = vec![next];
        for (&k, &pointer) in moving.iter().zip(&walking) {
            let stride = self.streams[k].stride(counter) * step;
            again.push(self.builder.ins().iadd_imm_s(pointer, stride));
        }
        again.extend(&state);
        let more = self.builder.ins().icmp(IntCC::SignedLessThan, next, end);
        let (again, leave) = (arguments(again), arguments(state));
        self.builder.ins().brif(more, head, &again, done, &leave);
        self.builder.switch_to_block(done);
        outer
    }
}

/// Values as arguments of a block.
pub(super) fn arguments(values: impl IntoIterator<Item = Value>) -> Vec<BlockArg> {
    values.into_iter().map(BlockArg::from).collect()
}
