//! Loop nests as machine code: a [`Nest`] becomes a CLIF function `fn(env, lo, hi)` that does the chunks `lo..hi`.
//!
//! Addresses move with the loops (a pointer for every group of accesses that walk alike), guards shorten ranges where they can and
//! branch where they cannot, and one loop is vectorised: the innermost parallel one, or the innermost reduction. Only CLIF that
//! WebAssembly exercises too is used. Deliberately absent: tiling and caches; what needs them is a tile.

mod accumulate;
mod binary;
mod convert;
mod element;
mod expr;
mod guards;
mod levels;
mod math;
mod shape;
mod value;

pub use shape::{Shape, Vector, shape};

use crate::kernel::nest::{Access, Affine, Guard, Nest};
use crate::memory::view::{Extent, Space};
use cnnc_ir::{DType, Ex};
use cnnc_runtime::Env;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, InstructionData, Opcode, Signature, UserFuncName, Value,
    ValueDef,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use expr::{Calls, Eval};
use std::borrow::Cow;
use std::collections::HashMap;
use value::{Ops, Pack, flags};

/// The signature of every step function: `fn(env: *const Env, lo: u64, hi: u64)`.
pub fn step_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(I64); 3];
    signature
}

/// Builds the function of a nest. `rounding`: the processor can round floats to integers.
pub fn build(nest: &Nest, rounding: bool) -> Function {
    let nest = as_bits(nest);
    let mut function = Function::with_name_signature(UserFuncName::default(), step_signature());
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut function, &mut context);
    emit(&nest, builder, rounding);
    function
}

fn emit(nest: &Nest, mut builder: FunctionBuilder<'_>, rounding: bool) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [env, lo, hi] = std::array::from_fn(|k| builder.block_params(entry)[k]);
    let mut emitter = Emitter::new(nest, builder, env, rounding);
    emitter.chunks(lo, hi);
    emitter.builder.ins().return_(&[]);
    // `finalize` would add nothing: it spills values of stack maps, of which there are none.
    emitter.builder.seal_all_blocks();
}

/// A nest that only moves elements moves them as unsigned integers: no conversion, any width of vector.
fn as_bits(nest: &Nest) -> Cow<'_, Nest> {
    if !shape::is_copy(nest) {
        return Cow::Borrowed(nest);
    }
    let bits = match nest.store.dtype.size() {
        1 => DType::U8,
        2 => DType::U16,
        4 => DType::U32,
        _ => DType::U64,
    };
    let mut nest = nest.clone();
    nest.store.dtype = bits;
    nest.loads[0].access.dtype = bits;
    nest.map = Ex::arg(0, bits).finish();
    Cow::Owned(nest)
}

/// Accesses that walk alike share a pointer.
struct Stream {
    space: Space,
    /// Bytes a step of each counter.
    strides: Vec<i64>,
    offset: i64,
}

impl Stream {
    fn stride(&self, counter: usize) -> i64 {
        self.strides.get(counter).copied().unwrap_or(0)
    }
}

/// Where an access is: a stream and a constant distance from it.
#[derive(Clone, Copy)]
struct Place {
    stream: usize,
    displacement: i32,
}

/// Emits one nest.
struct Emitter<'n, 'b> {
    builder: FunctionBuilder<'b>,
    nest: &'n Nest,
    shape: Shape,
    calls: Calls,
    /// Address of the extents' table.
    extents: Value,
    streams: Vec<Stream>,
    /// Of the loads of `map`, then those of `finish`, then the store.
    places: Vec<Place>,
    /// The streams' pointers at the current iteration.
    pointers: Vec<Value>,
    /// The counters that are known here, quotients after loops.
    counters: Vec<Option<Value>>,
    /// Scalars loaded before the loop they do not move in, by place.
    hoisted: HashMap<usize, Pack>,
}

impl<'n, 'b> Emitter<'n, 'b> {
    fn new(
        nest: &'n Nest,
        mut builder: FunctionBuilder<'b>,
        env: Value,
        rounding: bool,
    ) -> Emitter<'n, 'b> {
        let mut field = |offset: usize| builder.ins().load(I64, flags(), env, offset as i32);
        let table = field(Env::MATH);
        let extents = field(Env::EXTENTS);
        let mut bases = HashMap::new();
        let (streams, places) = streams(nest);
        for stream in &streams {
            bases.entry(stream.space).or_insert_with(|| {
                field(match stream.space {
                    Space::Arena => Env::ARENA,
                    Space::Weights => Env::WEIGHTS,
                    Space::State => Env::STATE,
                })
            });
        }
        let pointers = streams
            .iter()
            .map(|s| builder.ins().iadd_imm_s(bases[&s.space], s.offset))
            .collect();
        Emitter {
            builder,
            shape: shape(nest),
            calls: Calls {
                table,
                rounding,
                signatures: HashMap::new(),
            },
            extents,
            streams,
            places,
            pointers,
            counters: vec![None; nest.loops.len() + nest.quotients.len()],
            hoisted: HashMap::new(),
            nest,
        }
    }

    /// An evaluator of expressions on packs of `lanes`.
    fn eval(&mut self, lanes: usize) -> Eval<'_, '_, 'b> {
        Eval {
            ops: Ops {
                builder: &mut self.builder,
                lanes,
            },
            calls: &mut self.calls,
        }
    }

    fn iconst(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(I64, value)
    }

    /// The value of an i64 constant.
    fn constant(&self, value: Value) -> Option<i64> {
        let ValueDef::Result(inst, _) = self.builder.func.dfg.value_def(value) else {
            return None;
        };
        match self.builder.func.dfg.insts[inst] {
            InstructionData::UnaryImm {
                opcode: Opcode::Iconst,
                imm,
            } => Some(imm.bits()),
            _ => None,
        }
    }

    /// `a + b`, folded where both are constants.
    fn add(&mut self, a: Value, b: i64) -> Value {
        match self.constant(a) {
            _ if b == 0 => a,
            Some(c) => self.iconst(c.wrapping_add(b)),
            None => self.builder.ins().iadd_imm_s(a, b),
        }
    }

    /// `a * b`, folded where possible.
    fn scale(&mut self, a: Value, b: i64) -> Value {
        match self.constant(a) {
            _ if b == 1 => a,
            Some(c) => self.iconst(c.wrapping_mul(b)),
            None => self.builder.ins().imul_imm_s(a, b),
        }
    }

    /// The value of an affine function of known counters.
    fn affine(&mut self, affine: &Affine) -> Value {
        let mut sum: Option<Value> = None;
        let mut base = affine.base;
        for (counter, &c) in affine.coefficients.iter().enumerate() {
            let Some(value) = self.counters[counter].filter(|_| c != 0) else {
                continue;
            };
            if let Some(constant) = self.constant(value) {
                base = base.wrapping_add(constant.wrapping_mul(c));
                continue;
            }
            let term = self.scale(value, c);
            sum = Some(match sum {
                Some(sum) => self.builder.ins().iadd(sum, term),
                None => term,
            });
        }
        match sum {
            Some(sum) => self.add(sum, base),
            None => self.iconst(base),
        }
    }

    fn extent(&mut self, extent: Extent) -> Value {
        match extent {
            Extent::Fixed(n) => self.iconst(n as i64),
            Extent::Slot { index, .. } => {
                let offset = index as i32 * 8;
                self.builder.ins().load(I64, flags(), self.extents, offset)
            }
        }
    }

    /// Whether a guard holds; one unsigned comparison checks both ends.
    fn holds(&mut self, guard: &Guard) -> Value {
        let coordinate = self.affine(&guard.coordinate);
        let extent = self.extent(guard.extent);
        self.builder.ins().icmp(
            cranelift_codegen::ir::condcodes::IntCC::UnsignedLessThan,
            coordinate,
            extent,
        )
    }

    /// Moves every pointer by `counter` times its stride.
    fn advance(&mut self, counter: usize, by: Value) {
        for k in 0..self.streams.len() {
            let stride = self.streams[k].stride(counter);
            if stride == 0 || self.constant(by) == Some(0) {
                continue;
            }
            let bytes = self.scale(by, stride);
            self.pointers[k] = match self.constant(bytes) {
                Some(bytes) => self.builder.ins().iadd_imm_s(self.pointers[k], bytes),
                None => self.builder.ins().iadd(self.pointers[k], bytes),
            };
        }
    }
}

/// Groups the accesses of a nest into streams.
fn streams(nest: &Nest) -> (Vec<Stream>, Vec<Place>) {
    let mut streams: Vec<Stream> = Vec::new();
    let accesses = nest.all_loads().map(|l| &l.access).chain([&nest.store]);
    let places = accesses.map(|a| place(&mut streams, a)).collect();
    (streams, places)
}

fn place(streams: &mut Vec<Stream>, access: &Access) -> Place {
    let size = access.dtype.size() as i64;
    let mut strides: Vec<i64> = access.strides.iter().map(|s| s * size).collect();
    while strides.last() == Some(&0) {
        strides.pop();
    }
    // Room is left for the units of a vectorised loop.
    let near =
        |s: &Stream| i32::try_from(access.offset - s.offset).is_ok_and(|d| d.abs() < 1 << 30);
    let found = streams
        .iter()
        .position(|s| s.space == access.space && s.strides == strides && near(s));
    let stream = found.unwrap_or_else(|| {
        streams.push(Stream {
            space: access.space,
            strides,
            offset: access.offset,
        });
        streams.len() - 1
    });
    Place {
        stream,
        displacement: (access.offset - streams[stream].offset) as i32,
    }
}
