//! The accumulators of a reduction.

use super::Emitter;
use super::levels::State;
use super::value::Pack;
use crate::kernel::nest::Reduction;
use cnnc_ir::DType;
use cnnc_ir::class::{Combine, neutral};
use cnnc_ir::expr::{BinaryOp, Literal};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value};

/// The accumulators of one result or vector: one set of packs, or, along a vectorised reduction, a set of vectors and a scalar for
/// what the vectors leave over. They travel through the loops as a flat list.
pub(super) struct Accumulators<'r> {
    reduction: &'r Reduction,
    pub sets: Vec<Set>,
    /// What the accumulators hold at first.
    pub initial: State,
}

/// The accumulators of `units` vectors of `lanes` results.
pub(super) struct Set {
    pub lanes: usize,
    pub units: usize,
    /// Registers of one unit, and the first one's place in the list.
    parts: usize,
    first: usize,
}

impl<'r> Accumulators<'r> {
    pub fn new(reduction: &'r Reduction) -> Accumulators<'r> {
        Accumulators {
            reduction,
            sets: Vec::new(),
            initial: Vec::new(),
        }
    }

    fn arg_kind(&self) -> Option<(bool, bool)> {
        match self.reduction.combine {
            Combine::ArgMax { last } => Some((true, last)),
            Combine::ArgMin { last } => Some((false, last)),
            _ => None,
        }
    }

    /// A set of accumulators that hold the neutral element.
    pub fn add(&mut self, emitter: &mut Emitter<'_, '_>, lanes: usize, units: usize) {
        let dtype = self.reduction.accumulator;
        let first = self.initial.len();
        let value = match dtype.int_range() {
            None => Literal::Float(neutral(self.reduction.combine, dtype)),
            Some(range) => Literal::Int(integer_neutral(self.reduction.combine, range)),
        };
        let pack = emitter.eval(lanes).ops.literal(dtype, value);
        let mut parts = pack.parts.len();
        for _ in 0..units {
            self.initial.extend(&pack.parts);
        }
        if self.arg_kind().is_some() {
            // The position; none yet.
            self.initial.push(emitter.iconst(-1));
            parts += 1;
        }
        self.sets.push(Set {
            lanes,
            units,
            parts,
            first,
        });
    }

    /// The accumulated value of a unit.
    pub fn pack(&self, set: usize, unit: usize, state: &[Value]) -> Pack {
        let set = &self.sets[set];
        let from = set.first + unit * set.parts;
        if self.arg_kind().is_some() {
            return Pack::one(DType::I64, state[from + 1]);
        }
        Pack {
            dtype: self.reduction.accumulator,
            parts: state[from..from + set.parts].to_vec(),
        }
    }

    /// Takes in one iteration.
    pub fn step(
        &self,
        emitter: &mut Emitter<'_, '_>,
        set: usize,
        lanes: usize,
        units: usize,
        mut state: State,
    ) -> State {
        for unit in 0..units {
            let value = emitter.mapped(lanes, unit);
            let value = emitter
                .eval(lanes)
                .convert(&value, self.reduction.accumulator);
            let from = self.sets[set].first + unit * self.sets[set].parts;
            if let Some((maximum, last)) = self.arg_kind() {
                let position = emitter.affine(&self.reduction.position);
                let old = (state[from], state[from + 1]);
                let new = (value.value(), position);
                let (best, at) = self.better(emitter, maximum, last, old, new);
                (state[from], state[from + 1]) = (best, at);
                continue;
            }
            let sum = self.pack(set, unit, &state);
            let sum = self.combine(emitter, lanes, &sum, &value);
            state[from..from + sum.parts.len()].copy_from_slice(&sum.parts);
        }
        state
    }

    fn combine(&self, emitter: &mut Emitter<'_, '_>, lanes: usize, a: &Pack, b: &Pack) -> Pack {
        let op = match self.reduction.combine {
            Combine::Prod => BinaryOp::Mul,
            Combine::Max => BinaryOp::Max,
            Combine::Min => BinaryOp::Min,
            _ => BinaryOp::Add,
        };
        emitter.eval(lanes).binary(op, a, b)
    }

    /// The better of two values with their positions: an unset position loses, NaN wins, ties go to the first or the last.
    fn better(
        &self,
        emitter: &mut Emitter<'_, '_>,
        maximum: bool,
        last: bool,
        (best, at): (Value, Value),
        (value, position): (Value, Value),
    ) -> (Value, Value) {
        let dtype = self.reduction.accumulator;
        let ops = emitter.builder.ins();
        let beats = if dtype.is_float() {
            let condition = match (maximum, last) {
                (true, false) => FloatCC::GreaterThan,
                (true, true) => FloatCC::GreaterThanOrEqual,
                (false, false) => FloatCC::LessThan,
                (false, true) => FloatCC::LessThanOrEqual,
            };
            let wins = ops.fcmp(condition, value, best);
            let nan = emitter.builder.ins().fcmp(FloatCC::Unordered, value, value);
            let number = emitter.builder.ins().fcmp(FloatCC::Ordered, best, best);
            // The first NaN wins over numbers, a later one only where the last is asked for.
            let nan_wins = if last {
                nan
            } else {
                emitter.builder.ins().band(nan, number)
            };
            emitter.builder.ins().bor(wins, nan_wins)
        } else {
            let condition = match (maximum, last, dtype.is_signed()) {
                (true, false, true) => IntCC::SignedGreaterThan,
                (true, false, false) => IntCC::UnsignedGreaterThan,
                (true, true, true) => IntCC::SignedGreaterThanOrEqual,
                (true, true, false) => IntCC::UnsignedGreaterThanOrEqual,
                (false, false, true) => IntCC::SignedLessThan,
                (false, false, false) => IntCC::UnsignedLessThan,
                (false, true, true) => IntCC::SignedLessThanOrEqual,
                (false, true, false) => IntCC::UnsignedLessThanOrEqual,
            };
            ops.icmp(condition, value, best)
        };
        let ins = emitter.builder.ins();
        let unset = ins.icmp_imm_s(IntCC::Equal, at, -1);
        let beats = emitter.builder.ins().bor(beats, unset);
        let best = emitter.builder.ins().select(beats, value, best);
        (best, emitter.builder.ins().select(beats, position, at))
    }

    /// All accumulators of a vectorised reduction as one: units in order, then lanes in order, then the rest.
    pub fn total(&self, emitter: &mut Emitter<'_, '_>, state: &[Value]) -> Pack {
        let set = &self.sets[0];
        let mut sum = self.pack(0, 0, state);
        for unit in 1..set.units {
            let other = self.pack(0, unit, state);
            sum = self.combine(emitter, set.lanes, &sum, &other);
        }
        let mut total: Option<Pack> = None;
        for &part in &sum.parts {
            let lanes = emitter.builder.func.dfg.value_type(part).lane_count();
            for lane in 0..lanes as u8 {
                let value = emitter.builder.ins().extractlane(part, lane);
                let value = Pack::one(sum.dtype, value);
                total = Some(match total {
                    Some(total) => self.combine(emitter, 1, &total, &value),
                    None => value,
                });
            }
        }
        let rest = self.pack(1, 0, state);
        match total {
            Some(total) => self.combine(emitter, 1, &total, &rest),
            None => rest,
        }
    }
}

/// The identity of a combination of integers, exactly.
fn integer_neutral(combine: Combine, (lowest, highest): (i128, i128)) -> i64 {
    match combine {
        Combine::Sum => 0,
        Combine::Prod => 1,
        Combine::Max | Combine::ArgMax { .. } => lowest as i64,
        // u64::MAX is the bits of -1.
        Combine::Min | Combine::ArgMin { .. } => highest as u64 as i64,
    }
}
