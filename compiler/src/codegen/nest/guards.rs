//! Guards: ranges that they shorten, and branches where they cannot.

use super::Emitter;
use super::levels::{Body, State, arguments};
use super::shape::clamps;
use crate::kernel::nest::Guard;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

impl<'n, 'b> Emitter<'n, 'b> {
    /// Tests the guards that name no counter (only possible in a nest without parallel loops).
    pub fn at_constants(&mut self, state: State, body: Body<'_, 'n, 'b>) -> State {
        let nest = self.nest;
        let constant = nest
            .guards
            .iter()
            .filter(|g| g.coordinate.deepest().is_none());
        let conditions: Vec<Value> = constant.map(|g| self.holds(g)).collect();
        self.when(conditions, state, body)
    }

    /// The range of a loop, shortened by the guards that only its counter decides.
    pub fn range(&mut self, counter: usize, range: Option<(Value, Value)>) -> (Value, Value) {
        let (mut start, mut end) = range.unwrap_or_else(|| {
            let zero = self.iconst(0);
            (zero, self.extent(self.nest.loops[counter].extent))
        });
        let nest = self.nest;
        for guard in nest
            .guards
            .iter()
            .filter(|g| clamps(&g.coordinate) == Some(counter))
        {
            let (first, last) = self.inside(guard, counter);
            start = self.larger(start, first);
            end = self.smaller(end, last);
        }
        (start, end)
    }

    /// The counter values between which a guard holds, whose coefficient of the counter is 1 or -1.
    pub fn inside(&mut self, guard: &Guard, counter: usize) -> (Value, Value) {
        let mut rest = guard.coordinate.clone();
        let sign = rest.coefficient(counter);
        rest.coefficients[counter] = 0;
        let rest = self.affine(&rest);
        let extent = self.extent(guard.extent);
        if sign > 0 {
            let first = self.builder.ins().ineg(rest);
            (first, self.builder.ins().isub(extent, rest))
        } else {
            let past = self.add(rest, 1);
            (self.builder.ins().isub(past, extent), past)
        }
    }

    /// Runs the body where the guards and quotients that the counter completes allow it.
    pub fn enter(
        &mut self,
        counter: usize,
        mut conditions: Vec<Value>,
        state: State,
        body: Body<'_, 'n, 'b>,
    ) -> State {
        let nest = self.nest;
        for guard in &nest.guards {
            let deepest = guard.coordinate.deepest();
            if deepest == Some(counter) && clamps(&guard.coordinate).is_none() {
                conditions.push(self.holds(guard));
            }
        }
        let pointers = self.pointers.clone();
        for (k, quotient) in nest.quotients.iter().enumerate() {
            if quotient.numerator.deepest() != Some(counter) {
                continue;
            }
            let numerator = self.affine(&quotient.numerator);
            let divisor = self.iconst(quotient.divisor as i64);
            // A negative numerator is a huge unsigned one: its quotient is out of range.
            let value = self.builder.ins().udiv(numerator, divisor);
            let product = self.builder.ins().imul(value, divisor);
            let exact = self.builder.ins().icmp(IntCC::Equal, product, numerator);
            let extent = self.extent(quotient.extent);
            let inside = self
                .builder
                .ins()
                .icmp(IntCC::UnsignedLessThan, value, extent);
            conditions.push(self.builder.ins().band(exact, inside));
            let number = nest.loops.len() + k;
            self.counters[number] = Some(value);
            self.advance(number, value);
        }
        let state = self.when(conditions, state, body);
        self.pointers = pointers;
        state
    }

    /// Runs the body where all conditions hold, else passes the state on.
    pub fn when(&mut self, conditions: Vec<Value>, state: State, body: Body<'_, 'n, 'b>) -> State {
        let Some(all) = conditions
            .into_iter()
            .reduce(|a, b| self.builder.ins().band(a, b))
        else {
            return body(self, state);
        };
        let (then, done) = (self.builder.create_block(), self.builder.create_block());
        let merged = self.parameters(done, &state);
        let skipped = arguments(state.iter().copied());
        self.builder.ins().brif(all, then, &[], done, &skipped);
        self.builder.switch_to_block(then);
        let state = body(self, state);
        let leave = arguments(state);
        self.builder.ins().jump(done, &leave);
        self.builder.switch_to_block(done);
        merged
    }

    pub fn smaller(&mut self, a: Value, b: Value) -> Value {
        let less = self.builder.ins().icmp(IntCC::SignedLessThan, a, b);
        self.builder.ins().select(less, a, b)
    }

    pub fn larger(&mut self, a: Value, b: Value) -> Value {
        let less = self.builder.ins().icmp(IntCC::SignedLessThan, a, b);
        self.builder.ins().select(less, b, a)
    }
}
