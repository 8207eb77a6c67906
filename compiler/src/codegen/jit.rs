//! Code in this process, through Cranelift's JIT: no file, no mapping. The memory is freed when [`Jit`] is dropped.
#![allow(unsafe_code)]

use super::{CodegenError, Source, compile, isa::isa};
use cnnc_runtime::CpuLevel;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;

/// Compiled step functions, callable while this lives.
pub struct Jit {
    module: Option<JITModule>,
    addresses: Vec<usize>,
}

/// Compiles the sources into this process.
///
/// # Errors
/// See [`compile`]; also when no executable memory is to be had.
pub fn jit(sources: &[Source<'_>], level: CpuLevel) -> Result<Jit, CodegenError> {
    let builder = JITBuilder::with_isa(isa(level)?, default_libcall_names());
    // Dropped on any error below: `Jit` owns the module from the start.
    let mut jit = Jit {
        module: None,
        addresses: Vec::new(),
    };
    let module = jit.module.insert(JITModule::new(builder));
    let ids = compile(module, sources, level)?;
    module
        .finalize_definitions()
        .map_err(CodegenError::module)?;
    jit.addresses = ids
        .iter()
        .map(|&id| module.get_finalized_function(id).addr())
        .collect();
    Ok(jit)
}

impl Jit {
    /// The address of each source's function.
    pub fn addresses(&self) -> &[usize] {
        &self.addresses
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: callers of the addresses keep this value alive, so none of the functions is running or will be called.
            unsafe { module.free_memory() };
        }
    }
}
