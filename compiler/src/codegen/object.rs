//! Code as a relocatable object file, for linkers and disassemblers: step functions are the exported symbols `step0`, `step1`, ...

use super::{CodegenError, Source, compile, isa::isa};
use cnnc_runtime::CpuLevel;
use cranelift_module::default_libcall_names;
use cranelift_object::{ObjectBuilder, ObjectModule};

/// Compiles the sources into an ELF object named `name`.
///
/// # Errors
/// See [`compile`].
pub fn object(
    sources: &[Source<'_>],
    level: CpuLevel,
    name: &str,
) -> Result<Vec<u8>, CodegenError> {
    let builder = ObjectBuilder::new(isa(level)?, name, default_libcall_names())
        .map_err(CodegenError::module)?;
    let mut module = ObjectModule::new(builder);
    compile(&mut module, sources, level)?;
    module.finish().emit().map_err(CodegenError::setting)
}
