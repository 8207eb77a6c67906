//! From parts to bytes to a file.

use crate::artifact::FormatError;
use crate::artifact::header::{Header, SectionKind, section_hash};
use crate::program::Program;
use crate::wire::Wire;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// The parts of an artefact. The same parts make the same bytes.
#[derive(Clone, Debug)]
pub struct ArtifactWriter<'a> {
    pub program: &'a Program,
    /// Position-independent machine code.
    pub code: &'a [u8],
    /// Where each generated function begins in `code`.
    pub entries: &'a [u64],
    /// Constants; operands in [`Space::Weights`](crate::Space::Weights) point into them.
    pub weights: &'a [u8],
    /// The graph in the compiler's own representation; opaque to this crate.
    pub graph: &'a [u8],
    /// Provenance and explanations as (key, value), in the order they are shown.
    pub meta: &'a [(String, String)],
}

impl ArtifactWriter<'_> {
    /// The bytes of the file. What they say is not judged here: opening does that.
    pub fn to_bytes(&self) -> Vec<u8> {
        let program = self.program.to_bytes();
        let entries = self.entries.to_vec().to_bytes();
        let meta = self.meta.to_vec().to_bytes();
        let parts: [&[u8]; SectionKind::ALL.len()] = [
            &program,
            &entries,
            &meta,
            self.graph,
            self.code,
            self.weights,
        ];
        let sized = parts.map(|part| (part.len() as u64, section_hash(part, 1)));
        let header = Header::lay_out(sized).expect("slices in memory are smaller than any file");
        let mut bytes = header.to_bytes();
        bytes.reserve_exact(header.file_bytes as usize - bytes.len());
        for (part, section) in parts.iter().zip(&header.sections) {
            bytes.resize(section.offset as usize, 0);
            bytes.extend_from_slice(part);
        }
        bytes.resize(header.file_bytes as usize, 0);
        bytes
    }

    /// Writes the file so that `path` holds the old contents or the new, never a mixture ([`replace_file`]). A file that is mapped
    /// somewhere is replaced, not written over.
    pub fn write_file(&self, path: &Path) -> Result<(), FormatError> {
        replace_file(path, &self.to_bytes())
            .map_err(FormatError::io(format!("writing {}", path.display())))
    }
}

/// Gives `path` these contents or leaves it as it was: a temporary file beside it, fsync, rename, fsync of the folder. A device or a
/// pipe is written to.
pub fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return fs::write(path, bytes);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(folder_of(path))?.sync_all());
    if written.is_err() {
        // The error that matters is the first; a leftover that cannot be removed is named by it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
