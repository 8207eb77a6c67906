//! A model: a checked program with its code and constants, shared by any number of sessions.

use crate::SPACE_ALIGN;
use crate::artifact::{FormatError, Head, SectionKind, Sections};
use crate::call::{Code, Functions};
use crate::error::RunError;
use crate::map::{Buffer, map_file};
use crate::program::Program;
use crate::session::{Session, SessionOptions};
use crate::team::available_threads;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Something that can run. Immutable, cheap to clone, usable from every thread.
///
/// # Trust
/// A model contains native code. Opening one detects accidents: a damaged, truncated or foreign file, another version, a
/// processor that lacks instructions. It cannot detect malice: open what you would run as a program. A stranger's file that
/// carries its graph ([`Model::read_graph`]) can be compiled again instead.
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

struct Inner {
    program: Program,
    functions: Functions,
    weights: Box<dyn AsRef<[u8]> + Send + Sync>,
    graph: Vec<u8>,
    meta: Vec<(String, String)>,
}

impl Model {
    /// Opens an artefact. Code and descriptions are read; constants are mapped, read-only, and shared with every process that
    /// opens the same file.
    ///
    /// The file must not be truncated or written to while it is in use: replace it by renaming, as
    /// [`ArtifactWriter::write_file`](crate::artifact::ArtifactWriter::write_file) does, or use [`Model::from_bytes`].
    pub fn open(path: impl AsRef<Path>) -> Result<Model, FormatError> {
        let path = path.as_ref();
        let opened =
            read_front(path).map_err(FormatError::io(format!("reading {}", path.display())))?;
        let (file, head, file_bytes) = opened;
        let head = Head::read(&head, file_bytes)?;
        let front = read_exactly(&file, head.front_bytes())
            .map_err(FormatError::io(format!("reading {}", path.display())))?;
        let rest = map_file(&file, head.front_bytes())
            .map_err(FormatError::io(format!("mapping {}", path.display())))?;
        let sections = Sections::read(&head, &front, &rest)?;
        let weights = Mapped {
            len: head.weights_bytes() as usize,
            map: rest,
        };
        Model::assemble(sections, Box::new(weights))
    }

    /// Opens an artefact that is in memory; nothing is mapped, no file can change under it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, FormatError> {
        let head = Head::read(bytes, bytes.len() as u64)?;
        let front_bytes = head.front_bytes() as usize;
        let (front, rest) = bytes.split_at(front_bytes);
        let sections = Sections::read(&head, front, rest)?;
        let weights = owned(&rest[..head.weights_bytes() as usize])?;
        Model::assemble(sections, Box::new(weights))
    }

    /// A model from what a compiler has just made, without a file. `code` is trusted as [`Model::open`] trusts a file.
    ///
    /// Weights are used where they lie if that is a multiple of [`SPACE_ALIGN`], as in a [`Buffer`](crate::Buffer) (behind
    /// which vector loads may also read), and copied if not.
    pub fn from_parts(
        program: Program,
        weights: impl AsRef<[u8]> + Send + Sync + 'static,
        code: Code,
    ) -> Result<Model, FormatError> {
        let aligned = weights
            .as_ref()
            .as_ptr()
            .addr()
            .is_multiple_of(SPACE_ALIGN as usize);
        let weights: Box<dyn AsRef<[u8]> + Send + Sync> = match aligned {
            true => Box::new(weights),
            false => Box::new(owned(weights.as_ref())?),
        };
        Model::new(program, weights, code, Vec::new(), Vec::new())
    }

    /// Where each section of an artefact lies, in bytes from its start. Only the header is read and checked.
    pub fn sections(path: impl AsRef<Path>) -> Result<Vec<(SectionKind, Range<u64>)>, FormatError> {
        let path = path.as_ref();
        let (_, head, file_bytes) =
            read_front(path).map_err(FormatError::io(format!("reading {}", path.display())))?;
        Ok(Head::read(&head, file_bytes)?.table())
    }

    /// The graph in an artefact, for compiling it again: checks hashes, maps nothing, runs nothing.
    pub fn read_graph(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
        let head = Head::read(bytes, bytes.len() as u64)?;
        let (front, rest) = bytes.split_at(head.front_bytes() as usize);
        Ok(Sections::read(&head, front, rest)?.graph)
    }

    fn assemble(
        sections: Sections,
        weights: Box<dyn AsRef<[u8]> + Send + Sync>,
    ) -> Result<Model, FormatError> {
        let code = Code::Blob {
            bytes: sections.code,
            entries: sections.entries,
        };
        Model::new(
            sections.program,
            weights,
            code,
            sections.graph,
            sections.meta,
        )
    }

    fn new(
        program: Program,
        weights: Box<dyn AsRef<[u8]> + Send + Sync>,
        code: Code,
        graph: Vec<u8>,
        meta: Vec<(String, String)>,
    ) -> Result<Model, FormatError> {
        let missing = program.cpu.missing();
        if !missing.is_empty() {
            return Err(FormatError::Cpu {
                level: program.cpu,
                missing: missing.join(", "),
            });
        }
        program.check((*weights).as_ref().len() as u64, code.entries())?;
        let functions = Functions::new(code)?;
        let inner = Inner {
            program,
            functions,
            weights,
            graph,
            meta,
        };
        Ok(Model {
            inner: Arc::new(inner),
        })
    }

    pub fn program(&self) -> &Program {
        &self.inner.program
    }

    /// The program in the compiler's own representation; empty for a model from parts.
    pub fn graph(&self) -> &[u8] {
        &self.inner.graph
    }

    /// Provenance and explanations.
    pub fn meta(&self) -> &[(String, String)] {
        &self.inner.meta
    }

    pub fn weights(&self) -> &[u8] {
        (*self.inner.weights).as_ref()
    }

    /// A session with `threads` threads, but no more than this process may really use: others could only take turns with them. 0
    /// stands for all of those.
    pub fn session(&self, threads: usize) -> Result<Session, RunError> {
        let threads = threads.min(available_threads());
        self.session_with(SessionOptions { threads })
    }

    /// A session with exactly as many threads as the options say.
    pub fn session_with(&self, options: SessionOptions) -> Result<Session, RunError> {
        Session::new(self.clone(), options)
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.inner.functions
    }
}

/// The mapped end of a file, of which the first `len` bytes are constants.
struct Mapped {
    map: memmap2::Mmap,
    len: usize,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

fn owned(weights: &[u8]) -> Result<Buffer, FormatError> {
    Buffer::copy_of(weights).map_err(FormatError::io("allocating memory for weights"))
}

/// Opens a regular file and reads its header, or what there is of it.
fn read_front(path: &Path) -> io::Result<(File, Vec<u8>, u64)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let head = read_exactly(&file, file_bytes.min(Head::BYTES as u64))?;
    Ok((file, head, file_bytes))
}

/// The first `len` bytes of a file, which is known to have as many.
fn read_exactly(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
    let len = usize::try_from(len).map_err(|_| too_large())?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| too_large())?;
    let mut file = file;
    io::Seek::rewind(&mut file)?;
    file.take(len as u64).read_to_end(&mut bytes)?;
    match bytes.len() == len {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
