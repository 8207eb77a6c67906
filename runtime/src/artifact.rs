#![doc = include_str!("../FORMAT.md")]

mod header;
mod read;
mod write;

pub use write::{ArtifactWriter, replace_file};

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
    #[error("not a cnnc artefact: it does not begin with CNNCBIN")]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::MathFn;
    use crate::dtype::DType;
    use crate::portable::Portable;

    const TEXT: &str = include_str!("../FORMAT.md");

    /// The cells of the row that begins with `cell`, in the table under `heading`.
    fn row(heading: &str, cell: &str) -> Vec<&'static str> {
        let (_, section) = TEXT.split_once(heading).expect(heading);
        let line = section
            .lines()
            .find(|line| line.starts_with(&format!("| {cell} |")));
        let line = line.unwrap_or_else(|| panic!("no row {cell} under {heading}"));
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    #[test]
    fn the_header_is_as_documented() {
        assert_eq!(row("## File", "header")[1], format!("0 .. {HEADER_BYTES}"));
        assert_eq!(row("## Header", "8")[4], FORMAT_VERSION.to_string());
        let table = SectionKind::ALL.len() * 32;
        assert_eq!(row("## Header", "24")[1], table.to_string());
        let hash = HEADER_BYTES - 8;
        assert_eq!(row("## Header", &hash.to_string())[3], "hash");
        assert_eq!(row("## Header", "0")[4], "`CNNCBIN\\0`");
        assert_eq!(MAGIC, *b"CNNCBIN\0");
    }

    #[test]
    fn sections_are_as_documented() {
        for kind in SectionKind::ALL {
            let cells = row("## Sections", &(kind as u32).to_string());
            assert_eq!(cells[1], kind.name());
            assert_eq!(cells[2], kind.alignment().to_string());
        }
    }

    #[test]
    fn numbers_are_as_documented() {
        for (number, name) in Portable::NUMBERS {
            assert_eq!(row("Portable kernels,", &number.to_string())[1], *name);
        }
        for f in MathFn::ALL {
            let index = (*f as u32).to_string();
            assert_eq!(row("Mathematical functions", &index)[1], format!("{f:?}"));
        }
        let types: Vec<String> = DType::ALL
            .iter()
            .map(|d| format!("{} {d}", *d as u8))
            .collect();
        assert_eq!(row("| choice |", "element type")[1], types.join(", "));
    }
}
