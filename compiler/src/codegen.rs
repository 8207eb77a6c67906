//! Code generation: from nests and tiles to machine code, in memory or as one position-independent blob.
//!
//! Everything is generic over Cranelift's `Module`: the same functions go to the flat blob of an artefact ([`flat`]), into this process
//! ([`jit`]) or into an object file ([`object`]).

pub mod isa;
pub mod nest;

/// Why code cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodegenError {
    #[error("the code generator refused a setting: {0}")]
    Setting(String),
}

impl CodegenError {
    fn setting(error: impl std::fmt::Display) -> CodegenError {
        CodegenError::Setting(error.to_string())
    }
}
