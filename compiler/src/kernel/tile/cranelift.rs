//! Cranelift's 128-bit vectors, for any architecture the code generator has.
//!
//! Registers and pointers are frontend variables, so SSA form and register allocation are Cranelift's. Only CLIF
//! that WebAssembly exercises too is used.

use super::asm::{Address, Frame, Op, Operand, Pointer, Reg, VectorAsm};
use super::emit::Emit;
use super::{ELEMENT, Lanes, Span, Target, TileError};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F32X4, I32, I64};
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
    let registers = (0..Target::Clif128 { fma }.registers())
        .map(|_| builder.declare_var(F32X4))
        .collect();
    let mut asm = Clif {
        builder,
        fma,
        registers,
        pointers,
        loops: Vec::new(),
        error: None,
    };
    kernel.emit(&mut asm);
    asm.finish()?;
    Ok(function)
}

const POINTERS: usize = 5;

struct Clif<'a> {
    builder: FunctionBuilder<'a>,
    fma: bool,
    registers: Vec<Variable>,
    pointers: [Variable; POINTERS],
    /// Counter and head of each open loop.
    loops: Vec<(Variable, Block)>,
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
            Pointer::Residual => 4,
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
        }
    }

    /// `if a <condition> b { a } else { b }` in every lane.
    fn select(&mut self, condition: FloatCC, a: Value, b: Value) -> Value {
        let mask = self.builder.ins().fcmp(condition, a, b);
        let little = MemFlagsData::new().with_endianness(Endianness::Little);
        let mask = self.builder.ins().bitcast(F32X4, little, mask);
        self.builder.ins().bitselect(mask, a, b)
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
                if self.fma {
                    self.builder.ins().fma(a, b, acc)
                } else {
                    let product = self.builder.ins().fmul(a, b);
                    self.builder.ins().fadd(acc, product)
                }
            }
            Op::Add => self.builder.ins().fadd(a, b),
            Op::Sub => self.builder.ins().fsub(a, b),
            Op::Mul => self.builder.ins().fmul(a, b),
            Op::Max => self.select(FloatCC::GreaterThan, a, b),
            Op::Min => self.select(FloatCC::LessThan, a, b),
            Op::Or => self.builder.ins().bor(a, b),
        };
        self.set(to, result);
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
