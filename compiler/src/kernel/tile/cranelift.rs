//! Cranelift's 128-bit vectors, for any architecture the code generator has.
//!
//! Registers and pointers are frontend variables, so SSA form and register allocation are Cranelift's. Only CLIF
//! that WebAssembly exercises too is used.

use super::asm::{Address, Frame, Op, Operand, Pointer, Reg, Selection, VectorAsm};
use super::emit::Emit;
use super::formula::Compare;
use super::{ELEMENT, Lanes, Span, Target, TileError};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F32X4, I32, I32X4, I64, Type};
use cranelift_codegen::ir::{
    AbiParam, Block, Endianness, Function, InstBuilder, MemFlagsData, Signature, UserFuncName,
    Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

/// Builds the function of a microkernel that has been checked.
pub fn build(kernel: &impl Emit, fma: bool) -> Result<Function, TileError> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(I64); POINTERS];
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let pointers = std::array::from_fn(|_| builder.declare_var(I64));
    for (index, &pointer) in pointers.iter().enumerate() {
        let argument = builder.block_params(entry)[index];
        builder.def_var(pointer, argument);
    }
    let registers = (0..EPILOGUE_REGISTERS)
        .map(|_| builder.declare_var(F32X4))
        .collect();
    let mut asm = Clif {
        builder,
        fma,
        registers,
        pointers,
        loops: Vec::new(),
        table: Vec::new(),
        error: None,
    };
    kernel.emit(&mut asm);
    asm.finish()?;
    Ok(function)
}

const POINTERS: usize = 5;
/// Frontend variables; those that exceed the machine's registers are the register allocator's to spill.
const EPILOGUE_REGISTERS: usize = 48;
/// `1.5 * 2^23`, whose low bits hold what is added to it.
const ROUND: f32 = 12_582_912.0;

struct Clif<'a> {
    builder: FunctionBuilder<'a>,
    fma: bool,
    registers: Vec<Variable>,
    pointers: [Variable; POINTERS],
    /// Counter and head of each open loop.
    loops: Vec<(Variable, Block)>,
    /// The current table, every entry in all lanes.
    table: Vec<Value>,
    error: Option<TileError>,
}

impl Clif<'_> {
    fn finish(mut self) -> Result<(), TileError> {
        self.builder.ins().return_(&[]);
        // `finalize` would add nothing: it spills values of stack maps, of which there are none, and recycles the
        // builder's context, which is not used again.
        self.builder.seal_all_blocks();
        self.error.map_or(Ok(()), Err)
    }

    fn get(&mut self, register: Reg) -> Value {
        self.builder.use_var(self.registers[register.0])
    }

    fn set(&mut self, register: Reg, value: Value) {
        self.builder.def_var(self.registers[register.0], value);
    }

    fn pointer(&self, pointer: Pointer) -> Variable {
        self.pointers[match pointer {
            Pointer::Input(_) => 0,
            Pointer::Weights => 1,
            Pointer::Output => 2,
            Pointer::Bias => 3,
            // Nothing waits on the stack: there are registers for all.
            Pointer::Residual | Pointer::Stack => 4,
        }]
    }

    /// The pointer's value and the offset as the immediate of a memory access.
    fn place(&mut self, address: Address) -> (Value, i32) {
        let pointer = self.builder.use_var(self.pointer(address.pointer));
        let offset = i32::try_from(address.offset).unwrap_or_else(|_| {
            self.error.get_or_insert(TileError::Offset {
                offset: address.offset,
            });
            0
        });
        (pointer, offset)
    }

    fn load_scalar(&mut self, from: Address) -> Value {
        let (pointer, offset) = self.place(from);
        self.builder.ins().load(F32, flags(), pointer, offset)
    }

    fn splat(&mut self, value: f32) -> Value {
        let scalar = self.builder.ins().f32const(value);
        self.builder.ins().splat(F32X4, scalar)
    }

    fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(register) => self.get(register),
            Operand::Memory(from) => {
                let (pointer, offset) = self.place(from);
                self.builder.ins().load(F32X4, flags(), pointer, offset)
            }
            Operand::Broadcast(from) => {
                let scalar = self.load_scalar(from);
                self.builder.ins().splat(F32X4, scalar)
            }
            Operand::Constant(index) => self.table[index],
        }
    }

    /// `a` where `x <condition> y` holds, `b` elsewhere.
    fn pick(&mut self, condition: FloatCC, [x, y, a, b]: [Value; 4]) -> Value {
        let mask = self.builder.ins().fcmp(condition, x, y);
        let mask = self.cast(F32X4, mask);
        self.builder.ins().bitselect(mask, a, b)
    }

    /// The same bits as another vector type.
    fn cast(&mut self, to: Type, value: Value) -> Value {
        let little = MemFlagsData::new().with_endianness(Endianness::Little);
        self.builder.ins().bitcast(to, little, value)
    }

    /// `2^n` for a vector of integers n in -126..=127.
    fn power_of_two(&mut self, n: Value) -> Value {
        let bias = self.builder.ins().iconst(I32, 127);
        let bias = self.builder.ins().splat(I32X4, bias);
        let biased = self.builder.ins().iadd(n, bias);
        let bits = self.builder.ins().ishl_imm_u(biased, 23);
        self.cast(F32X4, bits)
    }

    fn bitwise(&mut self, op: Op, a: Value, b: Value) -> Value {
        let (a, b) = (self.cast(I32X4, a), self.cast(I32X4, b));
        let bits = match op {
            Op::And => self.builder.ins().band(a, b),
            Op::Or => self.builder.ins().bor(a, b),
            _ => self.builder.ins().bxor(a, b),
        };
        self.cast(F32X4, bits)
    }

    /// `a * b + c`
    fn mul_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.fma {
            return self.builder.ins().fma(a, b, c);
        }
        let product = self.builder.ins().fmul(a, b);
        self.builder.ins().fadd(c, product)
    }

    /// `if a <condition> b { a } else { b }` in every lane.
    fn extreme(&mut self, condition: FloatCC, a: Value, b: Value) -> Value {
        self.pick(condition, [a, b, a, b])
    }
}

/// Accesses never trap, but nothing promises more alignment than an element's.
fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl VectorAsm for Clif<'_> {
    const WIDEST: Lanes = Lanes::Four;
    const EMBEDS_BROADCAST: bool = false;
    const BASES: usize = 1;

    fn registers(&self) -> usize {
        Target::Clif128 { fma: self.fma }.registers()
    }

    fn epilogue_registers(&self) -> usize {
        self.registers.len()
    }

    fn reach(&self, _bytes: i64) -> Option<i64> {
        None
    }

    fn begin(&mut self, _frame: &Frame) {}

    fn load(&mut self, span: Span, to: Reg, from: Address) {
        let vector = if span.is_partial() {
            let mut vector = self.splat(0.0);
            for lane in span.mask.first..span.mask.end {
                let scalar = self.load_scalar(at_lane(from, lane));
                vector = self.builder.ins().insertlane(vector, scalar, lane);
            }
            vector
        } else {
            self.operand(Operand::Memory(from))
        };
        self.set(to, vector);
    }

    fn prefetch(&mut self, _from: Address) {}

    fn store(&mut self, span: Span, from: Reg, to: Address) {
        let vector = self.get(from);
        if span.is_partial() {
            for lane in span.mask.first..span.mask.end {
                let scalar = self.builder.ins().extractlane(vector, lane);
                let (pointer, offset) = self.place(at_lane(to, lane));
                self.builder.ins().store(flags(), scalar, pointer, offset);
            }
        } else {
            let (pointer, offset) = self.place(to);
            self.builder.ins().store(flags(), vector, pointer, offset);
        }
    }

    fn broadcast(&mut self, _lanes: Lanes, to: Reg, from: Address) {
        let vector = self.operand(Operand::Broadcast(from));
        self.set(to, vector);
    }

    fn constant(&mut self, _lanes: Lanes, to: Reg, value: f32) {
        let vector = self.splat(value);
        self.set(to, vector);
    }

    fn copy(&mut self, _lanes: Lanes, to: Reg, from: Reg) {
        let vector = self.get(from);
        self.set(to, vector);
    }

    fn arithmetic(&mut self, op: Op, _lanes: Lanes, to: Reg, a: Reg, b: Operand) {
        let (a, b) = (self.get(a), self.operand(b));
        let result = match op {
            Op::MulAdd => {
                let acc = self.get(to);
                self.mul_add(a, b, acc)
            }
            Op::MulThenAdd => {
                let factor = self.get(to);
                self.mul_add(factor, a, b)
            }
            Op::Add => self.builder.ins().fadd(a, b),
            Op::Sub => self.builder.ins().fsub(a, b),
            Op::Mul => self.builder.ins().fmul(a, b),
            Op::Div => self.builder.ins().fdiv(a, b),
            Op::Max => self.extreme(FloatCC::GreaterThan, a, b),
            Op::Min => self.extreme(FloatCC::LessThan, a, b),
            Op::And | Op::Or | Op::Xor => self.bitwise(op, a, b),
        };
        self.set(to, result);
    }

    fn table(&mut self, constants: &[f32]) {
        self.table = constants.iter().map(|&value| self.splat(value)).collect();
    }

    fn table_entry(&mut self, _lanes: Lanes, to: Reg, index: usize) {
        self.set(to, self.table[index]);
    }

    fn square_root(&mut self, _lanes: Lanes, to: Reg, from: Reg) {
        let from = self.get(from);
        let root = self.builder.ins().sqrt(from);
        self.set(to, root);
    }

    fn select(&mut self, _lanes: Lanes, to: Reg, selection: Selection) {
        let condition = match selection.compare {
            Compare::Less => FloatCC::LessThan,
            Compare::LessOrEqual => FloatCC::LessThanOrEqual,
            Compare::Equal => FloatCC::Equal,
            Compare::NotEqual => FloatCC::NotEqual,
        };
        let (x, b) = (self.get(selection.x), self.get(selection.b));
        let (y, a) = (self.operand(selection.y), self.operand(selection.a));
        let picked = self.pick(condition, [x, y, a, b]);
        self.set(to, picked);
    }

    /// Two factors, since `2^n` alone may leave the range of normal numbers. What a NaN's n becomes does not matter.
    fn scale(&mut self, _lanes: Lanes, p: Reg, n: Reg, _spare: Reg) {
        let round = self.splat(ROUND);
        let n = self.get(n);
        let shifted = self.builder.ins().fadd(n, round);
        let [shifted, round] = [shifted, round].map(|v| self.cast(I32X4, v));
        let n = self.builder.ins().isub(shifted, round);
        let half = self.builder.ins().sshr_imm_u(n, 1);
        let rest = self.builder.ins().isub(n, half);
        for factor in [half, rest] {
            let factor = self.power_of_two(factor);
            let value = self.get(p);
            let product = self.builder.ins().fmul(value, factor);
            self.set(p, product);
        }
    }

    fn advance(&mut self, pointer: Pointer, bytes: i64) {
        if bytes != 0 {
            let variable = self.pointer(pointer);
            let value = self.builder.use_var(variable);
            let moved = self.builder.ins().iadd_imm_s(value, bytes);
            self.builder.def_var(variable, moved);
        }
    }

    fn begin_loop(&mut self, _depth: usize, trip: u32) {
        let counter = self.builder.declare_var(I32);
        let count = self.builder.ins().iconst(I32, i64::from(trip));
        self.builder.def_var(counter, count);
        let head = self.builder.create_block();
        self.builder.ins().jump(head, &[]);
        self.builder.switch_to_block(head);
        self.loops.push((counter, head));
    }

    fn end_loop(&mut self, _depth: usize) {
        let Some((counter, head)) = self.loops.pop() else {
            return;
        };
        let count = self.builder.use_var(counter);
        let left = self.builder.ins().iadd_imm_s(count, -1);
        self.builder.def_var(counter, left);
        let exit = self.builder.create_block();
        self.builder.ins().brif(left, head, &[], exit, &[]);
        self.builder.switch_to_block(exit);
    }
}

fn at_lane(address: Address, lane: u8) -> Address {
    Address {
        offset: address.offset + i64::from(lane) * ELEMENT,
        ..address
    }
}
