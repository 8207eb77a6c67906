//! IDX, the format of MNIST: `00 00 type rank`, one big-endian u32 an extent, then the elements in big-endian row-major order; plain or
//! compressed by gzip, which the first two bytes tell. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
//!
//! A header is a claim: memory grows with the bytes that really come. gzip's own checksum and length are compared, and bytes behind the
//! last element are an error.

use super::error::DataError;
use super::part::{Images, Labels};
use super::samples::Pixels;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No data set has more axes; the limit keeps a damaged header from being read on and on.
const MAX_RANK: u8 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn from_code(code: u8) -> Option<Element> {
        Some(match code {
            0x08 => Element::U8,
            0x09 => Element::I8,
            0x0b => Element::I16,
            0x0c => Element::I32,
            0x0d => Element::F32,
            0x0e => Element::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::I32 | Element::F32 => 4,
            Element::F64 => 8,
        }
    }
}

/// An array as it lies in the file.
struct Array {
    element: Element,
    extents: Vec<usize>,
    bytes: Vec<u8>,
}

/// Reads images: bytes, or floats that are kept as they are. `limit` bounds the memory, in bytes.
pub(super) fn read_images(path: &Path, limit: usize) -> Result<Images, DataError> {
    let array = read(path, limit)?;
    let pixels = match array.element {
        Element::U8 => Pixels::U8(array.bytes),
        Element::F32 => Pixels::F32(numbers(&array.bytes, f32::from_be_bytes)),
        Element::F64 => Pixels::F32(numbers(&array.bytes, |b| f64::from_be_bytes(b) as f32)),
        other => {
            let problem = format!("images of element type {other:?}, expected U8, F32 or F64");
            return Err(DataError::corrupt(path, problem));
        }
    };
    Images::new(path, &array.extents, pixels)
}

/// Reads labels: one integer a sample. `limit` bounds the memory, in bytes.
pub(super) fn read_labels(path: &Path, limit: usize) -> Result<Labels, DataError> {
    let array = read(path, limit)?;
    if array.extents.len() != 1 {
        let problem = format!("labels of shape {:?}, expected one axis", array.extents);
        return Err(DataError::corrupt(path, problem));
    }
    let values = match array.element {
        Element::U8 => array.bytes.into_iter().map(i64::from).collect(),
        Element::I8 => numbers(&array.bytes, |b| i64::from(i8::from_be_bytes(b))),
        Element::I16 => numbers(&array.bytes, |b| i64::from(i16::from_be_bytes(b))),
        Element::I32 => numbers(&array.bytes, |b| i64::from(i32::from_be_bytes(b))),
        other => {
            let problem = format!("labels of element type {other:?}, expected integers");
            return Err(DataError::corrupt(path, problem));
        }
    };
    Ok(Labels::new(path, values))
}

fn numbers<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| from(*chunk)).collect()
}

fn read(path: &Path, limit: usize) -> Result<Array, DataError> {
    let mut file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
    let mut start = Vec::new();
    let mut first = Read::by_ref(&mut file).take(GZIP.len() as u64);
    first.read_to_end(&mut start).map_err(DataError::io(path))?;
    let whole = io::Cursor::new(start.clone()).chain(file);
    if start == GZIP {
        decode(path, BufReader::new(MultiGzDecoder::new(whole)), limit)
    } else {
        decode(path, whole, limit)
    }
}

fn decode(path: &Path, mut reader: impl Read, limit: usize) -> Result<Array, DataError> {
    let wrong = |e| broken_stream(path, e);
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(wrong)?;
    let [0, 0, code, rank @ 1..=MAX_RANK] = magic else {
        let problem = format!("begins with {magic:02x?}, no IDX file does");
        return Err(DataError::corrupt(path, problem));
    };
    let element = Element::from_code(code)
        .ok_or_else(|| DataError::corrupt(path, format!("unknown element type {code:#04x}")))?;
    let mut extents = Vec::new();
    for _ in 0..rank {
        let mut extent = [0; 4];
        reader.read_exact(&mut extent).map_err(wrong)?;
        extents.push(u32::from_be_bytes(extent) as usize);
    }
    let needed = extents
        .iter()
        .try_fold(element.size() as u128, |n, &d| n.checked_mul(d as u128));
    let needed = needed.unwrap_or(u128::MAX);
    let expected = usize::try_from(needed).ok().filter(|n| *n <= limit);
    let Some(expected) = expected else {
        let path = path.to_owned();
        return Err(DataError::TooLarge {
            path,
            needed,
            limit,
        });
    };
    // One byte more than promised: it must not come, and looking for it makes gzip compare its checksum.
    let mut bytes = Vec::new();
    let mut promised = reader.take(expected as u64 + 1);
    promised.read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() != expected {
        let found = if bytes.len() > expected {
            "more".to_string()
        } else {
            bytes.len().to_string()
        };
        let path = path.to_owned();
        return Err(DataError::Length {
            path,
            expected,
            found,
        });
    }
    Ok(Array {
        element,
        extents,
        bytes,
    })
}

/// Reading from a file fails for the system's reasons; a stream that ends early or does not decompress is damage.
fn broken_stream(path: &Path, error: io::Error) -> DataError {
    match error.kind() {
        ErrorKind::UnexpectedEof => DataError::corrupt(path, "is truncated"),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            DataError::corrupt(path, format!("is damaged: {error}"))
        }
        _ => DataError::io(path)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    /// What reading these bytes says.
    fn images(bytes: &[u8]) -> Result<Images, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images");
        std::fs::write(&path, bytes).unwrap();
        let said = |e: DataError| e.to_string().replace(&path.display().to_string(), "images");
        read_images(&path, 1 << 20).map_err(said)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    const TWO: [u8; 20] = [
        0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40,
    ];

    #[test]
    fn plain_and_compressed_files_are_the_same() {
        let plain = images(&TWO).unwrap();
        assert_eq!(plain.pixels, Pixels::U8(vec![10, 20, 30, 40]));
        assert_eq!((plain.count, plain.shape), (2, [1, 1, 2]));
        let compressed = images(&gzip(&TWO)).unwrap();
        assert_eq!(compressed.pixels, plain.pixels);
    }

    #[test]
    fn floats_are_big_endian() {
        let mut bytes = vec![0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 1];
        bytes.extend(0.75f32.to_be_bytes());
        assert_eq!(images(&bytes).unwrap().pixels, Pixels::F32(vec![0.75]));
    }

    #[test]
    fn damaged_gzip_is_refused_or_equal() {
        let whole = gzip(&TWO);
        for length in 0..whole.len() {
            images(&whole[..length]).unwrap_err();
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Some bits say nothing about the data: the time, the system, the padding of the last code.
            if let Ok(read) = images(&flipped) {
                assert_eq!(read.pixels, Pixels::U8(vec![10, 20, 30, 40]), "bit {bit}");
            }
        }
    }

    #[test]
    fn messages_name_the_fault() {
        let said = |bytes: &[u8]| images(bytes).unwrap_err();
        insta::assert_snapshot!(said(b"<html>"), @"images: begins with [3c, 68, 74, 6d], no IDX file does");
        insta::assert_snapshot!(said(&TWO[..3]), @"images: is truncated");
        insta::assert_snapshot!(said(&TWO[..18]), @"images: the header promises 4 bytes of data, found 2");
        insta::assert_snapshot!(said(&[&TWO[..], &[9]].concat()), @"images: the header promises 4 bytes of data, found more");
        insta::assert_snapshot!(said(&[0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff]), @"images: needs 4294967295 bytes of memory, more than the limit of 1048576");
        insta::assert_snapshot!(said(&[&[0, 0, 8, 8][..], &[0xff; 32]].concat()), @"images: needs 340282366920938463463374607431768211455 bytes of memory, more than the limit of 1048576");
        insta::assert_snapshot!(said(&[0, 0, 0x0c, 1, 0, 0, 0, 0]), @"images: images of element type I32, expected U8, F32 or F64");
        insta::assert_snapshot!(said(&[0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 4]), @"images: holds no images");
        insta::assert_snapshot!(said(&gzip(&TWO)[..20]), @"images: is truncated");
    }
    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(head in prop::collection::vec(prop_oneof![Just(0u8), Just(8), 0u8..4, any::<u8>()], 0..20), data in prop::collection::vec(any::<u8>(), 0..8)) {
            if let Ok(read) = images(&[&head[..], &data].concat()) {
                prop_assert_eq!(read.pixels.len(), read.count * read.shape.iter().product::<usize>());
            }
        }
    }
}
