//! The header: magic, version, length, section table, hash; and where each section must lie.

use crate::artifact::FormatError;
use crate::wire::{Reader, Wire, Writer};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// The first bytes of every artefact.
pub const MAGIC: [u8; 8] = *b"CNNCBIN\0";

/// The version this crate writes and reads.
pub const FORMAT_VERSION: u32 = 2;

/// Alignment of the sections that are mapped or executed, in bytes.
pub const PAGE: u64 = 4096;

/// Size of the header, in bytes.
pub const HEADER_BYTES: usize = 24 + SectionKind::ALL.len() * 32 + 8;

/// Bytes that are hashed as one piece, so that big sections can be hashed by several threads.
pub(super) const PIECE: usize = 4 << 20;

/// Zero bytes that follow the last section, so that vector loads may run past its end.
pub(super) const TAIL: u64 = crate::abi::TAIL_BYTES;

/// The sections, in the order they have in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SectionKind {
    Program = 1,
    Entries = 2,
    Meta = 3,
    Graph = 4,
    Code = 5,
    Weights = 6,
}

impl SectionKind {
    pub const ALL: [SectionKind; 6] = {
        use SectionKind::*;
        [Program, Entries, Meta, Graph, Code, Weights]
    };

    pub const fn name(self) -> &'static str {
        match self {
            SectionKind::Program => "PROGRAM",
            SectionKind::Entries => "ENTRIES",
            SectionKind::Meta => "META",
            SectionKind::Graph => "GRAPH",
            SectionKind::Code => "CODE",
            SectionKind::Weights => "WEIGHTS",
        }
    }

    /// What its offset is a multiple of.
    pub const fn alignment(self) -> u64 {
        match self {
            SectionKind::Code | SectionKind::Weights => PAGE,
            _ => 64,
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row of the section table; its place in the table says which section it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) hash: u64,
}

impl Section {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// The header of a file whose sections have the sizes and hashes given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) file_bytes: u64,
    pub(super) sections: [Section; SectionKind::ALL.len()],
}

impl Header {
    /// Lays sections out one after another, each at the first offset of its alignment. `None` where the file would outgrow u64.
    pub(super) fn lay_out(parts: [(u64, u64); SectionKind::ALL.len()]) -> Option<Header> {
        let mut sections = [Section::default(); SectionKind::ALL.len()];
        let mut end = HEADER_BYTES as u64;
        for ((section, kind), (size, hash)) in sections.iter_mut().zip(SectionKind::ALL).zip(parts)
        {
            let offset = end.checked_next_multiple_of(kind.alignment())?;
            *section = Section { offset, size, hash };
            end = offset.checked_add(size)?;
        }
        let file_bytes = end.checked_add(TAIL)?.checked_next_multiple_of(PAGE)?;
        Some(Header {
            file_bytes,
            sections,
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        MAGIC.iter().for_each(|byte| byte.encode(&mut w));
        FORMAT_VERSION.encode(&mut w);
        (SectionKind::ALL.len() as u32).encode(&mut w);
        self.file_bytes.encode(&mut w);
        for (kind, section) in SectionKind::ALL.iter().zip(&self.sections) {
            (*kind as u32).encode(&mut w);
            0u32.encode(&mut w);
            section.offset.encode(&mut w);
            section.size.encode(&mut w);
            section.hash.encode(&mut w);
        }
        xxh3_64(&w.bytes).encode(&mut w);
        w.bytes
    }

    /// Reads the header of a file of `file_bytes`. All but the sizes and hashes of sections is given by the format, so the header
    /// is right exactly if laying out those sizes again yields the same bytes.
    pub(super) fn read(bytes: &[u8], file_bytes: u64) -> Result<Header, FormatError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(FormatError::Magic);
        }
        let damaged = |what| FormatError::Header { what };
        let truncated = |_| damaged("the file ends within it");
        let r = &mut Reader::new(&bytes[MAGIC.len()..]);
        match u32::decode(r).map_err(truncated)? {
            FORMAT_VERSION => {}
            found => return Err(FormatError::Version { found }),
        }
        let bytes = bytes.get(..HEADER_BYTES);
        let bytes = bytes.ok_or(damaged("the file ends within it"))?;
        let _count = u32::decode(r).map_err(truncated)?;
        let _length = u64::decode(r).map_err(truncated)?;
        let mut parts = [(0, 0); SectionKind::ALL.len()];
        for part in &mut parts {
            let _kind_and_offset = (u64::decode(r), u64::decode(r));
            *part = (
                u64::decode(r).map_err(truncated)?,
                u64::decode(r).map_err(truncated)?,
            );
        }
        let header = Header::lay_out(parts).ok_or(damaged("sections exceed any file"))?;
        if header.to_bytes() != bytes {
            return Err(damaged("its hash or its section table is wrong"));
        }
        if header.file_bytes != file_bytes {
            return Err(FormatError::Length {
                expected: header.file_bytes,
                found: file_bytes,
            });
        }
        Ok(header)
    }
}

/// The hash of a section: xxh3-64 of the hashes of its pieces, hashed by up to `threads` threads.
pub(super) fn section_hash(bytes: &[u8], threads: usize) -> u64 {
    let pieces: Vec<&[u8]> = bytes.chunks(PIECE).collect();
    let mut hashes = vec![0; pieces.len()];
    let share = pieces.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let mut shares = pieces.chunks(share).zip(hashes.chunks_mut(share));
        let own = shares.next();
        for (pieces, hashes) in shares {
            scope.spawn(move || hash_pieces(pieces, hashes));
        }
        if let Some((pieces, hashes)) = own {
            hash_pieces(pieces, hashes);
        }
    });
    let mut w = Writer::default();
    hashes.iter().for_each(|hash| hash.encode(&mut w));
    xxh3_64(&w.bytes)
}

fn hash_pieces(pieces: &[&[u8]], hashes: &mut [u64]) {
    for (piece, hash) in pieces.iter().zip(hashes) {
        *hash = xxh3_64(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_threads() {
        let bytes: Vec<u8> = (0..PIECE * 2 + 77).map(|i| (i % 251) as u8).collect();
        let one = section_hash(&bytes, 1);
        assert_eq!(
            [2, 3, 64].map(|threads| section_hash(&bytes, threads)),
            [one; 3]
        );
        assert_ne!(section_hash(&bytes[1..], 1), one);
    }

    #[test]
    fn sections_that_exceed_any_file_have_no_header() {
        assert_eq!(Header::lay_out([(u64::MAX / 2, 0); 6]), None);
    }
}
