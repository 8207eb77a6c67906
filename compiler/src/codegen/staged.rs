//! The step function of a staged plan: for every strip, the calls of its program.
//!
//! ```text
//! for strip in lo..hi:
//!     for round in program(strip):
//!         for k in 0..round.repeat:
//!             for call in round:
//!                 kernels[call.kernel](places + call's offsets + k * call's steps)
//! ```
//!
//! Calls, rounds and strips stand in this order in one read-only table of i64 behind the code.

use super::driver::{WORD, address, define_words, dispatch, import_table, import_tile, row};
use super::nest::step_signature;
use super::{CodegenError, Kernel, Tiles};
use crate::kernel::staged::{Moving, Round, StageCall, StagePlace, Strip};
use crate::select::Staged;
use cnnc_runtime::Env;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    Block, FuncRef, Function, InstBuilder, MemFlagsData, UserFuncName, Value,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{DataId, Module};

/// Pointers a call moves: input, weights, output, bias, residual.
const POINTERS: usize = 5;

/// Words of a call: kernel, then place, offset and step of each pointer.
const CALL: i64 = 1 + 3 * POINTERS as i64;

/// Words of a round: first call, number of calls, repetitions.
const ROUND: i64 = 3;

/// Words of a strip: first round, number of rounds, offsets of input, weights and output.
const STRIP: i64 = 5;

/// Defines the table of a plan's calls and strips.
pub(super) fn define_table<M: Module>(
    module: &mut M,
    staged: &Staged,
    step: usize,
) -> Result<DataId, CodegenError> {
    let mut words: Vec<i64> = Vec::new();
    for call in &staged.plan.calls {
        words.push(call.kernel.into());
        for Moving {
            place,
            offset,
            step,
        } in pointers(call)
        {
            words.extend([place as i64, offset, step]);
        }
    }
    for &Round {
        first,
        count,
        repeat,
    } in &staged.plan.rounds
    {
        words.extend([first, count, repeat].map(i64::from));
    }
    for &Strip {
        first,
        count,
        input,
        weights,
        output,
    } in &staged.plan.strips
    {
        words.extend([i64::from(first), i64::from(count), input, weights, output]);
    }
    define_words(module, &words, step)
}

/// The residual lies as the output does.
fn pointers(call: &StageCall) -> [Moving; POINTERS] {
    [
        call.input,
        call.weights,
        call.output,
        call.bias,
        call.output,
    ]
}

/// For each pointer, the places beside its operand that calls name.
fn others(staged: &Staged) -> [Vec<StagePlace>; POINTERS] {
    let all = [
        StagePlace::Scratch,
        StagePlace::Constants,
        StagePlace::Weights,
    ];
    std::array::from_fn(|number| {
        let used = |place: &StagePlace| {
            let mut calls = staged.plan.calls.iter();
            calls.any(|call| pointers(call)[number].place == *place)
        };
        all.into_iter().filter(used).collect()
    })
}

/// Builds the step function.
pub(super) fn build(staged: &Staged, tiles: &Tiles<'_>, table: Option<DataId>) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::default(), step_signature());
    let callees: Vec<FuncRef> = staged
        .plan
        .kernels
        .iter()
        .filter_map(|kernel| tiles.get(&(Kernel::from(kernel), staged.target)))
        .map(|&id| import_tile(&mut function, id))
        .collect();
    let table = table.map(|id| import_table(&mut function, id));
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [env, lo, hi] = std::array::from_fn(|k| builder.block_params(entry)[k]);
    let places = [
        staged.input,
        staged.weights,
        staged.output,
        staged.bias,
        staged.residual,
    ];
    let operands = places.map(|place| address(&mut builder, env, place));
    let constants = address(&mut builder, env, staged.constants);
    let scratch = builder
        .ins()
        .load(I64, MemFlagsData::trusted(), env, Env::SCRATCH as i32);
    let table = match table {
        Some(table) => builder.ins().symbol_value(I64, table),
        None => builder.ins().iconst(I64, 0),
    };
    let calls = staged.plan.calls.len() as i64 * CALL * WORD;
    let rounds = builder.ins().iadd_imm_s(table, calls);
    let rounds_bytes = staged.plan.rounds.len() as i64 * ROUND * WORD;
    let strips = builder.ins().iadd_imm_s(rounds, rounds_bytes);
    let mut emitter = Emitter {
        builder,
        callees,
        others: others(staged),
        scratch,
        constants,
        calls: table,
        rounds,
    };
    let strip_loop = emitter.open(lo, hi);
    let strip = row(&mut emitter.builder, strips, strip_loop.index, STRIP * WORD);
    emitter.strip(strip, operands);
    emitter.close(strip_loop);
    emitter.builder.ins().return_(&[]);
    // `finalize` would add nothing: it spills values of stack maps, of which there are none.
    emitter.builder.seal_all_blocks();
    function
}

struct Emitter<'a> {
    builder: FunctionBuilder<'a>,
    callees: Vec<FuncRef>,
    /// For each pointer, the places beside its operand that calls name.
    others: [Vec<StagePlace>; POINTERS],
    scratch: Value,
    constants: Value,
    /// Addresses of the tables.
    calls: Value,
    rounds: Value,
}

/// A loop over `index`, whose body is being emitted.
struct Counted {
    index: Value,
    head: Block,
    done: Block,
}

impl Emitter<'_> {
    fn open(&mut self, from: Value, to: Value) -> Counted {
        let [head, body, done] = std::array::from_fn(|_| self.builder.create_block());
        let index = self.builder.append_block_param(head, I64);
        self.builder.ins().jump(head, &[from.into()]);
        self.builder.switch_to_block(head);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, index, to);
        self.builder.ins().brif(more, body, &[], done, &[]);
        self.builder.switch_to_block(body);
        Counted { index, head, done }
    }

    fn close(&mut self, counted: Counted) {
        let next = self.builder.ins().iadd_imm_s(counted.index, 1);
        self.builder.ins().jump(counted.head, &[next.into()]);
        self.builder.switch_to_block(counted.done);
    }

    /// Word `k` of a row.
    fn word(&mut self, row: Value, k: i64) -> Value {
        self.builder
            .ins()
            .load(I64, MemFlagsData::trusted(), row, (k * WORD) as i32)
    }

    fn strip(&mut self, strip: Value, operands: [Value; POINTERS]) {
        let [first, count, input, weights, output] =
            std::array::from_fn(|k| self.word(strip, k as i64));
        let [x, w, y, bias, residual] = operands;
        let mut moved = |p: Value, by: Value| self.builder.ins().iadd(p, by);
        let (x, w) = (moved(x, input), moved(w, weights));
        let (y, residual) = (moved(y, output), moved(residual, output));
        let rounds = self.open_range(first, count);
        self.round(rounds.index, [x, w, y, bias, residual]);
        self.close(rounds);
    }

    /// A loop over `first..first + count`.
    fn open_range(&mut self, first: Value, count: Value) -> Counted {
        let end = self.builder.ins().iadd(first, count);
        self.open(first, end)
    }

    fn round(&mut self, index: Value, operands: [Value; POINTERS]) {
        let round = row(&mut self.builder, self.rounds, index, ROUND * WORD);
        let [first, count, repeat] = [0, 1, 2].map(|k| self.word(round, k));
        let zero = self.builder.ins().iconst(I64, 0);
        let repeated = self.open(zero, repeat);
        let calls = self.open_range(first, count);
        self.call(calls.index, repeated.index, operands);
        self.close(calls);
        self.close(repeated);
    }

    /// What the offset of a pointer counts from.
    fn start(&mut self, number: usize, place: Value, operands: [Value; POINTERS]) -> Value {
        let mut start = operands[number];
        for other in self.others[number].clone() {
            let at = match other {
                StagePlace::Operand => operands[number],
                StagePlace::Scratch => self.scratch,
                StagePlace::Constants => self.constants,
                StagePlace::Weights => operands[1],
            };
            let ins = self.builder.ins();
            let is_other = ins.icmp_imm_s(IntCC::Equal, place, other as i64);
            start = self.builder.ins().select(is_other, at, start);
        }
        start
    }

    /// Call number `index`, for the `k`-th time.
    fn call(&mut self, index: Value, k: Value, operands: [Value; POINTERS]) {
        let call = row(&mut self.builder, self.calls, index, CALL * WORD);
        let kernel = self.word(call, 0);
        let mut pointers = operands;
        for (number, pointer) in pointers.iter_mut().enumerate() {
            let [place, offset, step] =
                [0, 1, 2].map(|field| self.word(call, 1 + 3 * number as i64 + field));
            let start = self.start(number, place, operands);
            let moved = self.builder.ins().imul(k, step);
            let offset = self.builder.ins().iadd(offset, moved);
            *pointer = self.builder.ins().iadd(start, offset);
        }
        dispatch(&mut self.builder, &self.callees, kernel, &pointers);
    }
}
