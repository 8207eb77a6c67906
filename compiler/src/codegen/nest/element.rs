//! One result, or a vector of results: loads, the expression, the reduction around it, the store.

use super::Emitter;
use super::accumulate::Accumulators;
use super::levels::State;
use super::shape::clamps;
use super::value::{Pack, flags, vector_type};
use crate::kernel::nest::{Access, Load, Reduction, Role};
use cnnc_ir::DType;
use cnnc_ir::expr::{ExprOp, ScalarExpr};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

impl<'n, 'b> Emitter<'n, 'b> {
    /// `units` vectors of `lanes` results at the current counters.
    pub fn element(&mut self, lanes: usize, units: usize) {
        if self.nest.reduction.is_none() {
            for unit in 0..units {
                let value = self.mapped(lanes, unit);
                self.store(&value, lanes, unit);
            }
            return;
        }
        let results = self.reduced(lanes, units);
        for (unit, value) in results.iter().enumerate() {
            self.store(value, lanes, unit);
        }
    }

    /// The value of `map`.
    pub fn mapped(&mut self, lanes: usize, unit: usize) -> Pack {
        let nest = self.nest;
        let args: Vec<Pack> = nest
            .loads
            .iter()
            .enumerate()
            .map(|(k, load)| self.load(k, load, lanes, unit))
            .collect();
        self.expr(&nest.map, &args, lanes)
    }

    fn expr(&mut self, expr: &ScalarExpr, args: &[Pack], lanes: usize) -> Pack {
        let counters = self.counters.clone();
        let index = |v: u32| counters.get(v as usize).copied().flatten();
        self.eval(lanes).expr(expr, args, &index)
    }

    /// Bytes from a place to the element of a unit of the vectorised loop.
    fn displacement(&self, place: usize, access: &Access, lanes: usize, unit: usize) -> i32 {
        let step = self.shape.vector.map_or(0, |v| access.stride(v.counter));
        let elements = (unit * lanes) as i64 * step;
        self.places[place].displacement + (elements * access.dtype.size() as i64) as i32
    }

    /// Operand number `place`.
    fn load(&mut self, place: usize, load: &Load, lanes: usize, unit: usize) -> Pack {
        if let Some(pack) = self.hoisted.get(&place).cloned() {
            return self.eval(lanes).ops.broadcast(pack);
        }
        if load.guards.is_empty() {
            return self.fetch(place, &load.access, lanes, unit);
        }
        let conditions: Vec<Value> = load.guards.iter().map(|g| self.holds(g)).collect();
        let fill = self.eval(lanes).ops.literal(load.access.dtype, load.fill);
        let dtype = fill.dtype;
        let parts = self.when(conditions, fill.parts, &mut |this, _| {
            this.fetch(place, &load.access, lanes, unit).parts
        });
        Pack { dtype, parts }
    }

    fn fetch(&mut self, place: usize, access: &Access, lanes: usize, unit: usize) -> Pack {
        let at = self.displacement(place, access, lanes, unit);
        let pointer = self.pointers[self.places[place].stream];
        let counter = self.shape.vector.map_or(0, |v| v.counter);
        if lanes == 1 || access.stride(counter) == 0 {
            let scalar = self.fetch_scalar(access.dtype, pointer, at);
            return self.eval(lanes).ops.broadcast(scalar);
        }
        let count = self.eval(lanes).ops.parts(access.dtype);
        let ty = vector_type(access.dtype);
        let parts = (0..count as i32)
            .map(|k| self.builder.ins().load(ty, flags(), pointer, at + 16 * k))
            .collect();
        Pack {
            dtype: access.dtype,
            parts,
        }
    }

    fn fetch_scalar(&mut self, dtype: DType, pointer: Value, at: i32) -> Pack {
        let ins = self.builder.ins();
        let value = match dtype {
            DType::F32 => ins.load(F32, flags(), pointer, at),
            DType::F64 => ins.load(F64, flags(), pointer, at),
            DType::I64 | DType::U64 => ins.load(I64, flags(), pointer, at),
            DType::I32 | DType::U32 => ins.load(I32, flags(), pointer, at),
            DType::I8 => ins.sload8(I32, flags(), pointer, at),
            DType::U8 | DType::Bool => ins.uload8(I32, flags(), pointer, at),
            DType::I16 => ins.sload16(I32, flags(), pointer, at),
            DType::U16 => ins.uload16(I32, flags(), pointer, at),
            DType::F16 | DType::BF16 => {
                let bits = ins.uload16(I32, flags(), pointer, at);
                self.eval(1).half_value(dtype, bits)
            }
        };
        Pack::one(dtype.compute(), value)
    }

    fn store(&mut self, value: &Pack, lanes: usize, unit: usize) {
        let access = &self.nest.store;
        let place = self.places.len() - 1;
        let at = self.displacement(place, access, lanes, unit);
        let pointer = self.pointers[self.places[place].stream];
        let value = self.eval(lanes).convert(value, access.dtype.compute());
        for (k, &part) in value.parts.iter().enumerate() {
            let at = at + 16 * k as i32;
            match access.dtype {
                _ if lanes > 1 => {
                    self.builder.ins().store(flags(), part, pointer, at);
                }
                DType::I8 | DType::U8 | DType::Bool => {
                    self.builder.ins().istore8(flags(), part, pointer, at);
                }
                DType::I16 | DType::U16 => {
                    self.builder.ins().istore16(flags(), part, pointer, at);
                }
                DType::F16 | DType::BF16 => {
                    let bits = self.eval(1).half_bits(access.dtype, part);
                    self.builder.ins().istore16(flags(), bits, pointer, at);
                }
                _ => {
                    self.builder.ins().store(flags(), part, pointer, at);
                }
            }
        }
    }

    /// Loads once, before the innermost parallel loop, what does not move in it.
    pub fn hoist(&mut self, counter: usize) -> Vec<usize> {
        let nest = self.nest;
        if nest.reduction.is_some() {
            return Vec::new();
        }
        let still = |load: &Load| {
            load.guards.is_empty()
                && load.access.stride(counter) == 0
                && load.access.strides.len() <= nest.loops.len()
        };
        let mut hoisted = Vec::new();
        for (k, load) in nest.loads.iter().enumerate().filter(|(_, l)| still(l)) {
            let place = self.places[k];
            let pointer = self.pointers[place.stream];
            let pack = self.fetch_scalar(load.access.dtype, pointer, place.displacement);
            self.hoisted.insert(k, pack);
            hoisted.push(k);
        }
        hoisted
    }

    pub fn unhoist(&mut self, hoisted: Vec<usize>) {
        for k in hoisted {
            self.hoisted.remove(&k);
        }
    }

    /// The finished results of `units` vectors of `lanes`.
    fn reduced(&mut self, lanes: usize, units: usize) -> Vec<Pack> {
        let nest = self.nest;
        let Some(reduction) = &nest.reduction else {
            return Vec::new();
        };
        let along = self
            .shape
            .vector
            .filter(|v| nest.loops[v.counter].role == Role::Reduce);
        let count = self.count(reduction);
        let mut sums = Accumulators::new(reduction);
        match along {
            Some(v) => {
                sums.add(self, v.lanes, v.units);
                sums.add(self, 1, 1);
            }
            None => sums.add(self, lanes, units),
        }
        let start = std::mem::take(&mut sums.initial);
        let state = self.reduce_from(nest.parallel(), &sums, start);
        let results = match along {
            Some(_) => vec![sums.total(self, &state)],
            None => (0..units).map(|u| sums.pack(0, u, &state)).collect(),
        };
        results
            .into_iter()
            .enumerate()
            .map(|(unit, sum)| self.finish(reduction, sum, count, lanes, unit))
            .collect()
    }

    /// The reduction loops from `counter` on.
    fn reduce_from(&mut self, counter: usize, sums: &Accumulators<'_>, state: State) -> State {
        if counter == self.nest.loops.len() {
            let set = &sums.sets[0];
            return sums.step(self, 0, set.lanes, set.units, state);
        }
        let range = self.range(counter, None);
        match self.shape.vector.filter(|v| v.counter == counter) {
            Some(vector) => self.in_strips(
                counter,
                range,
                Some(vector),
                state,
                &mut |this, lanes, units, state| {
                    let set = usize::from(lanes == 1);
                    sums.step(this, set, lanes, units, state)
                },
            ),
            None => self.counted(counter, range, 1, state, &mut |this, state| {
                this.reduce_from(counter + 1, sums, state)
            }),
        }
    }

    /// The second argument of `finish` as an i64, where it is used.
    fn count(&mut self, reduction: &Reduction) -> Option<Value> {
        let used = |i: &cnnc_ir::expr::Inst| i.op == ExprOp::Arg(1);
        if !reduction.finish.insts.iter().any(used) {
            return None;
        }
        let nest = self.nest;
        let mut product = self.iconst(1);
        for counter in nest.parallel()..nest.loops.len() {
            let zero = self.iconst(0);
            let (mut start, mut end) = (zero, self.extent(nest.loops[counter].extent));
            for guard in &reduction.count {
                let step = guard.coordinate.coefficient(counter);
                if step == 0 {
                    continue;
                }
                let (first, last) = self.counted_inside(guard, counter, step);
                start = self.extreme(IntCC::SignedGreaterThan, start, first);
                end = self.extreme(IntCC::SignedLessThan, end, last);
            }
            let length = self.builder.ins().isub(end, start);
            let length = self.extreme(IntCC::SignedGreaterThan, length, zero);
            product = self.builder.ins().imul(product, length);
        }
        Some(product)
    }

    fn extreme(&mut self, better: IntCC, a: Value, b: Value) -> Value {
        let first = self.builder.ins().icmp(better, a, b);
        self.builder.ins().select(first, a, b)
    }

    /// The counter values between which a guard with a positive coefficient holds.
    fn counted_inside(
        &mut self,
        guard: &crate::kernel::nest::Guard,
        counter: usize,
        step: i64,
    ) -> (Value, Value) {
        if clamps(&guard.coordinate) == Some(counter) {
            return self.inside(guard, counter);
        }
        // ceil(-rest / step) and ceil((extent - rest) / step), by a division that rounds down: the arguments are shifted to be
        // positive first.
        let mut rest = guard.coordinate.clone();
        rest.coefficients[counter] = 0;
        let rest = self.affine(&rest);
        let extent = self.extent(guard.extent);
        let [first, last] = [self.iconst(0), extent].map(|bound| {
            let distance = self.builder.ins().isub(bound, rest);
            let zero = self.iconst(0);
            let distance = self.extreme(IntCC::SignedGreaterThan, distance, zero);
            let rounded = self.add(distance, step - 1);
            let divisor = self.iconst(step);
            self.builder.ins().udiv(rounded, divisor)
        });
        (first, last)
    }

    fn finish(
        &mut self,
        reduction: &Reduction,
        sum: Pack,
        count: Option<Value>,
        lanes: usize,
        unit: usize,
    ) -> Pack {
        let count = match count {
            Some(count) => {
                let mut scalars = self.eval(1);
                let count = scalars.convert(&Pack::one(DType::I64, count), reduction.accumulator);
                self.eval(lanes).ops.broadcast(count)
            }
            None => sum.clone(),
        };
        let first = self.nest.loads.len();
        let mut args = vec![sum, count];
        for (k, load) in reduction.loads.iter().enumerate() {
            args.push(self.load(first + k, load, lanes, unit));
        }
        self.expr(&reduction.finish, &args, lanes)
    }
}
