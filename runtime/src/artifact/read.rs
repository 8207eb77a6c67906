//! From bytes back to parts, trusting nothing.

use crate::artifact::FormatError;
use crate::artifact::header::{HEADER_BYTES, Header, Section, SectionKind, section_hash};
use crate::program::Program;
use crate::wire::Wire;
use std::ops::Range;

/// Threads that hash the weights: more do not raise the memory's speed.
const HASH_THREADS: usize = 4;

/// What must be read before the rest of a file can be.
pub(crate) struct Head(Header);

impl Head {
    /// Bytes at the front of a file that [`Head::read`] wants, or fewer where there are fewer.
    pub(crate) const BYTES: usize = HEADER_BYTES;

    pub(crate) fn read(bytes: &[u8], file_bytes: u64) -> Result<Head, FormatError> {
        Header::read(bytes, file_bytes).map(Head)
    }

    /// Where everything before the weights ends: what is read, not mapped.
    pub(crate) fn front_bytes(&self) -> u64 {
        self.section(SectionKind::Weights).offset
    }

    pub(crate) fn weights_bytes(&self) -> u64 {
        self.section(SectionKind::Weights).size
    }

    /// Where each section lies.
    pub(crate) fn table(&self) -> Vec<(SectionKind, Range<u64>)> {
        let kinds = SectionKind::ALL.into_iter();
        kinds
            .map(|kind| (kind, self.section(kind).offset..self.section(kind).end()))
            .collect()
    }

    fn section(&self, kind: SectionKind) -> &Section {
        &self.0.sections[kind as usize - 1]
    }
}

/// A checked file.
#[derive(Debug)]
pub(crate) struct Sections {
    pub(crate) program: Program,
    pub(crate) entries: Vec<u64>,
    pub(crate) meta: Vec<(String, String)>,
    pub(crate) graph: Vec<u8>,
    pub(crate) code: Vec<u8>,
}

impl Sections {
    /// Checks hashes and padding and decodes. `front` is the file up to [`Head::front_bytes`], `rest` everything behind.
    pub(crate) fn read(head: &Head, front: &[u8], rest: &[u8]) -> Result<Sections, FormatError> {
        let weights = head.section(SectionKind::Weights);
        let (constants, tail) = split(rest, weights.size)?;
        let mut end = HEADER_BYTES as u64;
        for kind in SectionKind::ALL {
            let section = head.section(kind);
            zeros(slice(front, end..section.offset)?, end)?;
            end = section.end();
            let bytes = match kind {
                SectionKind::Weights => constants,
                _ => slice(front, section.offset..section.end())?,
            };
            let found = section_hash(bytes, HASH_THREADS);
            if found != section.hash {
                return Err(FormatError::Hash {
                    section: kind,
                    expected: section.hash,
                    found,
                });
            }
        }
        zeros(tail, weights.end())?;
        let part = |kind| {
            let section = head.section(kind);
            slice(front, section.offset..section.end())
        };
        Ok(Sections {
            program: decode(SectionKind::Program, part(SectionKind::Program)?)?,
            entries: decode(SectionKind::Entries, part(SectionKind::Entries)?)?,
            meta: decode(SectionKind::Meta, part(SectionKind::Meta)?)?,
            graph: part(SectionKind::Graph)?.to_vec(),
            code: part(SectionKind::Code)?.to_vec(),
        })
    }
}

fn decode<T: Wire>(section: SectionKind, bytes: &[u8]) -> Result<T, FormatError> {
    T::from_bytes(bytes).map_err(|source| FormatError::Section { section, source })
}

/// The header has vouched for these bounds; a caller that passes less than it announced gets the same error as a short file.
fn slice(bytes: &[u8], range: Range<u64>) -> Result<&[u8], FormatError> {
    let bounds = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok());
    let found = bounds.and_then(|(start, end)| bytes.get(start..end));
    found.ok_or(FormatError::Length {
        expected: range.end,
        found: bytes.len() as u64,
    })
}

fn split(bytes: &[u8], at: u64) -> Result<(&[u8], &[u8]), FormatError> {
    let halves = usize::try_from(at)
        .ok()
        .and_then(|at| bytes.split_at_checked(at));
    halves.ok_or(FormatError::Length {
        expected: at,
        found: bytes.len() as u64,
    })
}

fn zeros(bytes: &[u8], offset: u64) -> Result<(), FormatError> {
    match bytes.iter().position(|&byte| byte != 0) {
        None => Ok(()),
        Some(at) => Err(FormatError::Padding {
            offset: offset + at as u64,
        }),
    }
}
