//! The code generator's view of a processor level.

use super::CodegenError;
use cnnc_runtime::CpuLevel;
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

/// Cranelift's target for a level: x86-64, System V. All names a function refers to lie in its own module, so references are relative
/// to the instruction and code is position-independent without `is_pic`, which would ask for a global offset table.
///
/// # Errors
/// When Cranelift was built without the x86-64 back end.
pub fn isa(level: CpuLevel) -> Result<OwnedTargetIsa, CodegenError> {
    let mut flags = settings::builder();
    let on = |yes: bool| if yes { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("enable_verifier", on(cfg!(debug_assertions))),
        // Generated functions are leaves of the runtime's threads: no unwinding passes through them.
        ("unwind_info", "false"),
    ] {
        flags.set(name, value).map_err(CodegenError::setting)?;
    }
    let mut builder =
        isa::lookup_by_name("x86_64-unknown-linux-gnu").map_err(CodegenError::setting)?;
    // Cranelift's presets leave out the foundations of what they name.
    let features: &[&str] = match level {
        CpuLevel::Baseline => &[],
        CpuLevel::V3 => &["x86-64-v3", "has_avx"],
        CpuLevel::V4 => &["x86-64-v4", "has_avx", "has_avx512f"],
    };
    for feature in features {
        builder.enable(feature).map_err(CodegenError::setting)?;
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(CodegenError::setting)
}

/// Whether the level has instructions that round floats to integers (SSE4.1).
pub fn has_rounding(level: CpuLevel) -> bool {
    level > CpuLevel::Baseline
}
