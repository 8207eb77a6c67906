//! Code in this process, through Cranelift's JIT: no file, no mapping. The memory is freed with the last session that runs it.
#![allow(unsafe_code)]

use super::{CodegenError, Source, compile, isa::isa};
use cnnc_runtime::{Code, CpuLevel};
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use std::sync::Mutex;

/// Address space set aside for a module: code and tables must lie within reach of each other. It is not memory until it is used.
const RESERVED: usize = 256 << 20;

/// Compiles the sources into this process, in the form the runtime takes.
///
/// # Errors
/// See [`compile`]; also when no executable memory is to be had.
pub fn jit(sources: &[Source<'_>], level: CpuLevel) -> Result<Code, CodegenError> {
    let mut builder = JITBuilder::with_isa(isa(level)?, default_libcall_names());
    let reserved = ArenaMemoryProvider::new_with_size(RESERVED).map_err(CodegenError::setting)?;
    builder.memory_provider(Box::new(reserved));
    let mut module = JITModule::new(builder);
    let ids = compile(&mut module, sources, level)?;
    module
        .finalize_definitions()
        .map_err(CodegenError::module)?;
    let addresses = ids
        .iter()
        .map(|&id| module.get_finalized_function(id))
        .collect();
    let memory = Memory(Mutex::new(Some(module)));
    Ok(Code::Functions {
        addresses,
        keep_alive: Box::new(memory),
    })
}

/// Owns the functions' memory, which Cranelift would leak.
struct Memory(Mutex<Option<JITModule>>);

impl Drop for Memory {
    fn drop(&mut self) {
        let module = self.0.get_mut().ok().and_then(Option::take);
        if let Some(module) = module {
            // SAFETY: the addresses were only given out together with this value, which the runtime keeps until the last session
            // is gone: none of the functions is running or will be called.
            unsafe { module.free_memory() };
        }
    }
}
