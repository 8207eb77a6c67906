//! Code generation: from loop nests and tile plans to machine code.
//!
//! Everything is generic over Cranelift's `Module`, so the same bytes go into the position-independent blob of an artefact ([`flat`]),
//! into this process ([`jit`]) and into an object file ([`object`]). Functions are compiled in parallel and defined in order: the
//! result does not depend on the number of threads.
//!
//! Deliberately absent: what is computed (`kernel`), in which order (`emit`), and any address: code reaches memory through the
//! runtime's `Env` only.

mod driver;
pub mod flat;
pub mod isa;
pub mod jit;
pub mod listing;
pub mod nest;
pub mod object;
mod staged;

use crate::kernel::nest::Nest;
use crate::kernel::tile::transform::Transform;
use crate::kernel::tile::unpool::Unpool;
use crate::kernel::tile::{self, Microkernel, Target, Tile, TileCode, TileError};
use crate::select::{Staged, Tiled};
use cnnc_runtime::CpuLevel;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, types::I64};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, ModuleReloc};
use rayon::prelude::*;
use std::collections::HashMap;

/// What one step function does.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    Nest(&'a Nest),
    Tiled(&'a Tiled),
    Staged(&'a Staged),
}

impl Source<'_> {
    /// The chunks of the step: its function does any range of them.
    pub fn chunks(self) -> u64 {
        match self {
            Source::Nest(nest) => nest::shape(nest).chunks,
            Source::Tiled(tiled) => tiled.plan.len() as u64,
            Source::Staged(staged) => staged.plan.strips.len() as u64,
        }
    }
}

/// Why code cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodegenError {
    #[error("the code generator refused a setting: {0}")]
    Setting(String),
    #[error("tile: {0}")]
    Tile(#[from] TileError),
    #[error("function {function}: {message}")]
    Compile { function: String, message: String },
    #[error("module: {0}")]
    Module(#[from] Box<ModuleError>),
}

impl CodegenError {
    fn setting(error: impl std::fmt::Display) -> CodegenError {
        CodegenError::Setting(error.to_string())
    }

    fn module(error: ModuleError) -> CodegenError {
        CodegenError::Module(Box::new(error))
    }
}

/// Functions start on cache lines.
const ALIGNMENT: u64 = 64;

/// Compiles a function for every source, in their order, into the module.
///
/// # Errors
/// When a tile cannot be assembled, or Cranelift or the module refuses a function.
pub fn compile<M: Module>(
    module: &mut M,
    sources: &[Source<'_>],
    level: CpuLevel,
) -> Result<Vec<FuncId>, CodegenError> {
    let tiles = define_tiles(module, sources)?;
    let steps = declare_steps(module, sources)?;
    let isa = module.isa();
    let rounding = isa::has_rounding(level);
    let compiled: Vec<Machine> = steps
        .par_iter()
        .map(|step| {
            let function = match step.source {
                Source::Nest(nest) => nest::build(nest, rounding),
                Source::Tiled(tiled) => driver::build(tiled, &tiles, step.table),
                Source::Staged(staged) => staged::build(staged, &tiles, step.table),
            };
            machine_code(function, step.id, &step.name, isa)
        })
        .collect::<Result<_, _>>()?;
    for (step, code) in steps.iter().zip(compiled) {
        code.define(module, step.id)?;
    }
    Ok(steps.iter().map(|s| s.id).collect())
}

/// A declared step function.
struct Step<'a> {
    id: FuncId,
    name: String,
    source: Source<'a>,
    /// The offsets of a tile plan's calls.
    table: Option<cranelift_module::DataId>,
}

fn declare_steps<'a, M: Module>(
    module: &mut M,
    sources: &[Source<'a>],
) -> Result<Vec<Step<'a>>, CodegenError> {
    let signature = nest::step_signature();
    let mut steps = Vec::with_capacity(sources.len());
    for (k, &source) in sources.iter().enumerate() {
        let name = format!("step{k}");
        let id = module
            .declare_function(&name, Linkage::Export, &signature)
            .map_err(CodegenError::module)?;
        let table = match source {
            Source::Nest(_) => None,
            Source::Staged(staged) => Some(staged::define_table(module, staged, k)?),
            Source::Tiled(tiled) => Some(driver::define_table(module, tiled, k)?),
        };
        steps.push(Step {
            id,
            name,
            source,
            table,
        });
    }
    Ok(steps)
}

/// A microkernel of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kernel<'a> {
    Tile(&'a Tile),
    Transform(&'a Transform),
    Unpool(&'a Unpool),
}

impl<'a> From<&'a Microkernel> for Kernel<'a> {
    fn from(kernel: &'a Microkernel) -> Self {
        match kernel {
            Microkernel::Tile(tile) => Kernel::Tile(tile),
            Microkernel::Transform(transform) => Kernel::Transform(transform),
            Microkernel::Unpool(unpool) => Kernel::Unpool(unpool),
        }
    }
}

impl Kernel<'_> {
    fn assemble(self, target: Target) -> Result<TileCode, TileError> {
        match self {
            Kernel::Tile(tile) => tile::assemble(tile, target),
            Kernel::Transform(transform) => tile::assemble_transform(transform, target),
            Kernel::Unpool(unpool) => tile::assemble_unpool(unpool, target),
        }
    }
}

impl<'a> Source<'a> {
    /// The microkernels it calls, and their target.
    fn kernels(self) -> Vec<(Kernel<'a>, Target)> {
        match self {
            Source::Nest(_) => Vec::new(),
            Source::Tiled(tiled) => {
                let kernel = |tile| (Kernel::Tile(tile), tiled.target);
                tiled.plan.tiles.iter().map(kernel).collect()
            }
            Source::Staged(staged) => {
                let kernel = |kernel| (Kernel::from(kernel), staged.target);
                staged.plan.kernels.iter().map(kernel).collect()
            }
        }
    }
}

/// Every distinct microkernel, by description and target.
type Tiles<'a> = HashMap<(Kernel<'a>, Target), FuncId>;

/// Assembles every distinct microkernel once.
fn define_tiles<'a, M: Module>(
    module: &mut M,
    sources: &[Source<'a>],
) -> Result<Tiles<'a>, CodegenError> {
    let signature = tile_signature();
    let mut ids = Tiles::new();
    let mut order = Vec::new();
    for source in sources {
        for key in source.kernels() {
            if ids.contains_key(&key) {
                continue;
            }
            let name = format!("tile{}", order.len());
            let id = module
                .declare_function(&name, Linkage::Local, &signature)
                .map_err(CodegenError::module)?;
            ids.insert(key, id);
            order.push((key, id, name));
        }
    }
    let isa = module.isa();
    let assembled: Vec<Machine> = order
        .par_iter()
        .map(
            |((kernel, target), id, name)| match kernel.assemble(*target)? {
                TileCode::Bytes(bytes) => Ok(Machine {
                    bytes,
                    relocations: Vec::new(),
                }),
                TileCode::Clif(function) => machine_code(*function, *id, name, isa),
            },
        )
        .collect::<Result<_, CodegenError>>()?;
    for ((_, id, _), code) in order.iter().zip(assembled) {
        code.define(module, *id)?;
    }
    Ok(ids)
}

/// `fn(input, weights, output, bias, residual)`.
fn tile_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(I64); 5];
    signature
}

/// The code of one function.
struct Machine {
    bytes: Vec<u8>,
    relocations: Vec<ModuleReloc>,
}

impl Machine {
    fn define<M: Module>(self, module: &mut M, id: FuncId) -> Result<(), CodegenError> {
        module
            .define_function_bytes(id, ALIGNMENT, &self.bytes, &self.relocations)
            .map_err(CodegenError::module)
    }
}

fn machine_code(
    function: Function,
    id: FuncId,
    name: &str,
    isa: &dyn TargetIsa,
) -> Result<Machine, CodegenError> {
    let mut context = Context::for_function(function);
    let code = context
        .compile(isa, &mut ControlPlane::default())
        .map_err(|e| CodegenError::Compile {
            function: name.to_owned(),
            message: format!("{:?}", e.inner),
        })?;
    let bytes = code.code_buffer().to_vec();
    let found = code.buffer.relocs().to_vec();
    let relocations = found
        .iter()
        .map(|r| ModuleReloc::from_mach_reloc(r, &context.func, id))
        .collect();
    Ok(Machine { bytes, relocations })
}
