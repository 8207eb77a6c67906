#![doc = include_str!("../FORMAT.md")]

mod header;
mod read;
mod write;

pub use write::ArtifactWriter;

pub(crate) use read::{Head, Sections};

pub use header::{FORMAT_VERSION, HEADER_BYTES, MAGIC, PAGE, SectionKind};

use crate::cpu::CpuLevel;
use crate::program::ProgramError;
use crate::wire::WireError;
use std::io;

/// Why an artefact cannot be written, opened or run on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    #[error("{action}: {source}")]
    Io {
        action: String,
        #[source]
        source: io::Error,
    },
    #[error("not a cnnc artefact: it does not begin with {MAGIC:?}")]
    Magic,
    #[error(
        "format version {found}, this runtime reads version {FORMAT_VERSION}: compile the model again"
    )]
    Version { found: u32 },
    #[error("the file has {found} bytes, a whole one has {expected}")]
    Length { expected: u64, found: u64 },
    #[error("the header is damaged: {what}")]
    Header { what: &'static str },
    #[error("section {section} is damaged: its hash is {found:016x}, not {expected:016x}")]
    Hash {
        section: SectionKind,
        expected: u64,
        found: u64,
    },
    #[error("byte {offset:#x} between sections is not zero")]
    Padding { offset: u64 },
    #[error("section {section}: {source}")]
    Section {
        section: SectionKind,
        #[source]
        source: WireError,
    },
    #[error("function {entry} begins at {offset:#x}, outside of {code_bytes:#x} bytes of code")]
    Entry {
        entry: usize,
        offset: u64,
        code_bytes: u64,
    },
    #[error("program: {0}")]
    Program(#[from] ProgramError),
    #[error("compiled for {level}, this processor lacks {missing}: compile for a lower level")]
    Cpu { level: CpuLevel, missing: String },
}

impl FormatError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> FormatError {
        let action = action.into();
        move |source| FormatError::Io { action, source }
    }
}
