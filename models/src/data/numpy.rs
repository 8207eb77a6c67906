//! Arrays of numpy: `.npy` files and `.npz` archives (`numpy.lib.format`, NEP 1).
//!
//! A `.npy` file is `\x93NUMPY`, a version, a length, and so many bytes of a Python dictionary with the keys `descr`, `fortran_order` and
//! `shape`; then the elements. A header is a claim: memory grows with the bytes that really come.
//!
//! Deliberately absent: structured and Python-object arrays, and Fortran order.

use cnnc_ir::{DType, Tensor};
use std::io::{self, Read, Seek};
use zip::ZipArchive;
use zip::result::ZipError;

/// Why an array was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NumpyError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Archive(#[from] ZipError),
    #[error("does not begin as a .npy file does")]
    Magic,
    #[error("the header is not one that numpy writes: {0}")]
    Header(&'static str),
    #[error("element type {0} is not supported")]
    Element(String),
    #[error("the array is in Fortran order; save it with numpy.ascontiguousarray")]
    Order,
    #[error("shape {0:?} has more elements than memory can hold")]
    Shape(Vec<usize>),
    #[error("the data is shorter than shape {0:?} needs")]
    Short(Vec<usize>),
    #[error("the data is longer than shape {0:?} needs")]
    Long(Vec<usize>),
}

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is believed; numpy's own have a few dozen bytes.
const MAX_HEADER: u64 = 1 << 16;

/// Reads the array of a `.npy` file: its element type, its shape, its elements, and nothing behind them.
pub fn read_npy(mut reader: impl Read) -> Result<Tensor, NumpyError> {
    let Header { descr, shape } = Header::read(&mut reader)?;
    let (dtype, is_big) = element(&descr).ok_or(NumpyError::Element(descr))?;
    let size = shape
        .iter()
        .try_fold(dtype.size(), |n, &d| n.checked_mul(d));
    let Some(size) = size else {
        return Err(NumpyError::Shape(shape));
    };
    let mut data = Vec::new();
    reader.by_ref().take(size as u64).read_to_end(&mut data)?;
    if reader.read(&mut [0])? > 0 {
        return Err(NumpyError::Long(shape));
    }
    if is_big {
        for element in data.chunks_exact_mut(dtype.size()) {
            element.reverse();
        }
    }
    if dtype == DType::Bool {
        data.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    Tensor::new(dtype, shape.clone(), data.into()).ok_or(NumpyError::Short(shape))
}

struct Header {
    descr: String,
    shape: Vec<usize>,
}

impl Header {
    fn read(reader: &mut impl Read) -> Result<Header, NumpyError> {
        let mut start = [0; 8];
        reader.read_exact(&mut start)?;
        let [magic @ .., major, _] = start;
        if magic != *MAGIC {
            return Err(NumpyError::Magic);
        }
        let mut length = [0; 4];
        reader.read_exact(&mut length[..if major == 1 { 2 } else { 4 }])?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > MAX_HEADER {
            return Err(NumpyError::Header("it is too long"));
        }
        let mut text = Vec::new();
        reader.take(length).read_to_end(&mut text)?;
        let text = String::from_utf8(text).map_err(|_| NumpyError::Header("it is not UTF-8"))?;
        Header::parse(&text)
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`; the keys in any order.
    fn parse(text: &str) -> Result<Header, NumpyError> {
        let value = |key: &'static str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let within = |text: &str, open: char, close: char| {
            let (inner, _) = text.strip_prefix(open)?.split_once(close)?;
            Some(inner.to_string())
        };
        let descr = value("descr").ok_or(NumpyError::Header("it has no descr"))?;
        let descr = within(descr, '\'', '\'')
            .ok_or_else(|| NumpyError::Element("of several fields".to_string()))?;
        let shape = value("shape").and_then(|v| within(v, '(', ')'));
        let shape = shape.ok_or(NumpyError::Header("it has no shape"))?;
        let extents = shape
            .split(',')
            .map(str::trim)
            .filter(|extent| !extent.is_empty());
        let shape: Vec<usize> = extents
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| NumpyError::Header("an extent is no number that memory can hold"))?;
        match value("fortran_order") {
            Some(v) if v.starts_with("False") || shape.len() < 2 => Ok(Header { descr, shape }),
            Some(v) if v.starts_with("True") => Err(NumpyError::Order),
            _ => Err(NumpyError::Header("it has no fortran_order")),
        }
    }
}

/// What numpy calls the element types that it has.
const CODES: [(&str, DType); 12] = [
    ("f4", DType::F32),
    ("f8", DType::F64),
    ("f2", DType::F16),
    ("i1", DType::I8),
    ("i2", DType::I16),
    ("i4", DType::I32),
    ("i8", DType::I64),
    ("u1", DType::U8),
    ("u2", DType::U16),
    ("u4", DType::U32),
    ("u8", DType::U64),
    ("b1", DType::Bool),
];

/// The element type of a `descr` such as `<f4`, and whether its bytes are in big-endian order.
fn element(descr: &str) -> Option<(DType, bool)> {
    let (order, code) = descr.split_at_checked(1)?;
    let (_, dtype) = CODES.iter().find(|(c, _)| *c == code)?;
    match order {
        "<" | "|" => Some((*dtype, false)),
        ">" => Some((*dtype, true)),
        _ => None,
    }
}

/// The bytes of a `.npy` file of version 1. bf16, which numpy lacks, becomes f32.
pub fn to_npy(tensor: &Tensor) -> Vec<u8> {
    let Some((code, _)) = CODES.iter().find(|(_, dtype)| *dtype == tensor.dtype()) else {
        return to_npy(&Tensor::from_f64(
            DType::F32,
            tensor.shape(),
            &tensor.to_f64(),
        ));
    };
    let order = if tensor.dtype().size() == 1 { '|' } else { '<' };
    let extents: String = tensor.shape().iter().map(|d| format!("{d}, ")).collect();
    let mut header =
        format!("{{'descr': '{order}{code}', 'fortran_order': False, 'shape': ({extents}), }}")
            .replace(", )", ",)");
    // The data begins at a multiple of 64, behind a line break.
    while !(MAGIC.len() + 4 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut file = MAGIC.to_vec();
    file.extend([1, 0]);
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend_from_slice(tensor.bytes());
    file
}

/// The arrays of an `.npz` archive whose names `is_wanted`, with their names. `limit` bounds the bytes of one array.
pub fn read_npz(
    file: impl Read + Seek,
    limit: usize,
    mut is_wanted: impl FnMut(&str) -> bool,
) -> Result<Vec<(String, Tensor)>, NumpyError> {
    let mut archive = ZipArchive::new(file)?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name().trim_end_matches(".npy").to_string();
        if !is_wanted(&name) {
            continue;
        }
        let tensor = read_npy(io::BufReader::new(
            Read::by_ref(&mut entry).take(limit as u64),
        ))?;
        // The archive compares its checksum at an entry's end.
        io::copy(&mut entry, &mut io::sink())?;
        arrays.push((name, tensor));
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.bytes());
        file.extend(data);
        file
    }

    #[test]
    fn shape_and_elements_are_read() {
        let header = "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2), }\n";
        let tensor = read_npy(&npy(header, &[1, 0, 0xff, 0xff])[..]).unwrap();
        assert_eq!(tensor, Tensor::from_i64(DType::I16, &[1, 2], &[1, -1]));
    }

    #[test]
    fn what_is_written_reads_back() {
        for dtype in DType::ALL.into_iter().filter(|d| *d != DType::BF16) {
            for shape in [&[][..], &[1], &[1, 1, 1]] {
                let tensor = Tensor::from_i64(dtype, shape, &[1]);
                let file = to_npy(&tensor);
                assert!((file.len() - tensor.bytes().len()).is_multiple_of(64));
                assert_eq!(read_npy(&file[..]).unwrap(), tensor);
                // A reader by other hands.
                let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
                assert_eq!(npyz::NpyFile::new(&file[..]).unwrap().shape(), shape);
            }
        }
        let halves = read_npy(&to_npy(&Tensor::from_f64(DType::BF16, &[2], &[0.5, -2.0]))[..]);
        assert_eq!(
            halves.unwrap(),
            Tensor::from_f64(DType::F32, &[2], &[0.5, -2.0])
        );
        assert_eq!(
            String::from_utf8_lossy(&to_npy(&Tensor::ints(&[7, 8]))[10..65]),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"[..55],
        );
    }

    #[test]
    fn big_endian_bytes_are_turned_and_truths_are_one() {
        let header = "{'shape': (), 'fortran_order': False, 'descr': '>u2'}";
        let tensor = read_npy(&npy(header, &[1, 2])[..]).unwrap();
        assert_eq!(tensor, Tensor::from_i64(DType::U16, &[], &[258]));
        let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}";
        let tensor = read_npy(&npy(header, &[0, 7])[..]).unwrap();
        assert_eq!(tensor, Tensor::from_i64(DType::Bool, &[2], &[0, 1]));
    }

    #[test]
    fn claims_are_not_believed() {
        let said = |descr: &str, order: &str, shape: &str| {
            let header =
                format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}");
            read_npy(&npy(&header, &[0; 5])[..])
                .unwrap_err()
                .to_string()
        };
        insta::assert_snapshot!(said("'<f4'", "False", "(4294967295, 4294967295, 4294967295)"), @"shape [4294967295, 4294967295, 4294967295] has more elements than memory can hold");
        insta::assert_snapshot!(said("'<f4'", "False", "(4294967295,)"), @"the data is shorter than shape [4294967295] needs");
        insta::assert_snapshot!(said("'<f4'", "False", "(1,)"), @"the data is longer than shape [1] needs");
        insta::assert_snapshot!(said("'<f4'", "True", "(2, 2)"), @"the array is in Fortran order; save it with numpy.ascontiguousarray");
        insta::assert_snapshot!(said("'<f4'", "Maybe", "(2, 2)"), @"the header is not one that numpy writes: it has no fortran_order");
        insta::assert_snapshot!(said("'<c8'", "False", "(2, 2)"), @"element type <c8 is not supported");
        insta::assert_snapshot!(said("''", "False", "(2, 2)"), @"element type  is not supported");
        insta::assert_snapshot!(said("[('a', '<f4')]", "False", "(2, 2)"), @"element type of several fields is not supported");
        insta::assert_snapshot!(said("'<f4'", "False", "(-1,)"), @"the header is not one that numpy writes: an extent is no number that memory can hold");
        insta::assert_snapshot!(said("'<f4'", "False", "((("), @"the header is not one that numpy writes: it has no shape");
    }

    #[test]
    fn other_files_are_told_apart() {
        let said = |bytes: &[u8]| read_npy(bytes).unwrap_err().to_string();
        insta::assert_snapshot!(said(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'"), @"the header is not one that numpy writes: it is too long");
        insta::assert_snapshot!(said(b"PK\x03\x04 and so on"), @"does not begin as a .npy file does");
        insta::assert_snapshot!(said(b"PK"), @"failed to fill whole buffer");
    }
    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(header in "[ -~]{0,80}", data in prop::collection::vec(any::<u8>(), 0..40), cut in 0usize..150) {
            let mut file = npy(&header, &data);
            file.truncate(cut);
            prop_assert!(read_npy(&file[..]).is_err());
        }

        #[test]
        fn any_shape_is_read_or_refused(extents in prop::collection::vec(any::<u64>(), 0..4), small in prop::collection::vec(0usize..3, 0..4), data in prop::collection::vec(any::<u8>(), 0..20)) {
            let text = |extents: &[String]| format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({},)}}", extents.join(","));
            let large: Vec<String> = extents.iter().map(u64::to_string).collect();
            let words: Vec<String> = small.iter().map(usize::to_string).collect();
            let read = read_npy(&npy(&text(&words), &data)[..]);
            prop_assert_eq!(read.is_ok(), small.iter().product::<usize>() == data.len());
            if let Ok(tensor) = read_npy(&npy(&text(&large), &data)[..]) {
                prop_assert_eq!(tensor.bytes(), &data);
            }
        }
    }
}
