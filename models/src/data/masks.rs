//! Pictures with masks, the class of every pixel: `ROOT/train/images/a.jpg` with `ROOT/train/masks/a.png`, the same below `ROOT/test`; or
//! one part only, `ROOT/images` and `ROOT/masks`. Pictures come in the order of their names.
//!
//! A mask is a PNG file of its picture's height and width, grey or with a palette; its grey value or its index is the class. Where there are
//! two classes, or nothing says how many, 0 and 255 will do for 0 and 1. A mask is resized with its picture, by nearest neighbour.
//!
//! Deliberately absent: classes told by colours, and pixels that do not count.

use super::error::DataError;
use super::folders::{Reader, entries, folders, is_picture, name};
use super::part::{Images, Labels, Part};
use super::samples::Pixels;
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

const IMAGES: &str = "images";
const MASKS: &str = "masks";

/// Whether these are folders of pictures and of their masks.
pub(super) fn are_in(folders: &[PathBuf]) -> bool {
    [IMAGES, MASKS].iter().all(|w| find(folders, w).is_some())
}

fn find<'a>(folders: &'a [PathBuf], wanted: &str) -> Option<&'a PathBuf> {
    folders.iter().find(|f| name(f).to_lowercase() == wanted)
}

/// Every picture of one part, with its mask.
pub(super) fn part(reader: &mut Reader, root: &Path) -> Result<Part, DataError> {
    let below = folders(root)?;
    let folder = |wanted| {
        let missing = || DataError::missing(root, format!("a folder '{wanted}'"));
        find(&below, wanted).ok_or_else(missing)
    };
    let (images, masks) = (folder(IMAGES)?, folder(MASKS)?);
    let mut paths = by_stem(masks)?;
    let (mut pixels, mut values, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for path in entries(images)?.into_iter().filter(|path| is_picture(path)) {
        let stem = path.file_stem().unwrap_or_default();
        let mask = paths.remove(stem).ok_or_else(|| {
            let expected = format!("a mask for {}, and for it alone", path.display());
            DataError::missing(&masks.join(stem).with_extension("png"), expected)
        })?;
        let own = reader.picture(&path, &mut pixels)?;
        let [_, height, width] = reader.shape.unwrap_or_default();
        let mask_values = decode(&mask, own, reader.options.limit)?;
        values.extend(resized(&mask_values, own, [height, width]));
        files.push(mask);
    }
    if let Some(lonely) = paths.into_values().next() {
        let expected = format!("a picture of this name in {}", images.display());
        return Err(DataError::missing(&lonely, expected));
    }
    let shape = reader.shape.unwrap_or_default();
    Ok(Part {
        images: Images::in_planes(images, files.len(), shape, Pixels::U8(pixels))?,
        labels: Labels {
            map: Some([shape[1], shape[2]]),
            files,
            ..Labels::new(masks, values)
        },
    })
}

/// The masks of a folder by their names without extension.
fn by_stem(folder: &Path) -> Result<BTreeMap<OsString, PathBuf>, DataError> {
    let mut found = BTreeMap::new();
    for path in entries(folder)?.into_iter().filter(|path| is_picture(path)) {
        let is_png = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("png"));
        if !is_png {
            let what = "is no PNG file; JPEG would change the values of a mask";
            return Err(DataError::corrupt(&path, what));
        }
        found.insert(path.file_stem().unwrap_or_default().to_owned(), path);
    }
    Ok(found)
}

/// The grey values, or the indices of the palette, of a picture of `size` (height, width).
fn decode(path: &Path, size: [usize; 2], limit: usize) -> Result<Vec<i64>, DataError> {
    let wrong = |e: png::DecodingError| DataError::corrupt(path, e.to_string());
    let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
    let mut decoder = Decoder::new_with_limits(file, Limits { bytes: limit });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(wrong)?;
    let info = reader.info();
    let [height, width] = [info.height, info.width].map(|side| side as usize);
    if [height, width] != size {
        let [h, w] = size;
        let problem = format!("a mask of {height}x{width}, expected {h}x{w} as its picture is");
        return Err(DataError::corrupt(path, problem));
    }
    if !matches!(info.color_type, ColorType::Grayscale | ColorType::Indexed) {
        let problem = format!(
            "a mask of type {:?}, expected a grey picture or one with a palette",
            info.color_type
        );
        return Err(DataError::corrupt(path, problem));
    }
    let depth = info.bit_depth;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let frame = reader.next_frame(&mut bytes).map_err(wrong)?;
    let lines = bytes.chunks_exact(frame.line_size.max(1)).take(height);
    Ok(lines
        .flat_map(|line| unpacked(line, depth, width))
        .collect())
}

/// The values of a line, the first in the high bits.
fn unpacked(line: &[u8], depth: BitDepth, width: usize) -> impl Iterator<Item = i64> {
    let bits = depth as usize;
    (0..width).map(move |x| match bits {
        16 => i64::from(u16::from_be_bytes([line[2 * x], line[2 * x + 1]])),
        8 => i64::from(line[x]),
        _ => {
            let (at, shift) = (x * bits / 8, 8 - bits - x * bits % 8);
            i64::from(line[at] >> shift & ((1 << bits) - 1))
        }
    })
}

/// Each pixel takes the value that lies below its centre.
pub(super) fn resized(
    values: &[i64],
    [height, width]: [usize; 2],
    [to_height, to_width]: [usize; 2],
) -> impl Iterator<Item = i64> {
    let source =
        |to: usize, extent: usize, to_extent: usize| (2 * to + 1) * extent / (2 * to_extent);
    (0..to_height).flat_map(move |y| {
        let row = source(y, height, to_height) * width;
        (0..to_width).map(move |x| values[row + source(x, width, to_width)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_the_high_end() {
        let values = |line: &[u8], depth, width| unpacked(line, depth, width).collect::<Vec<_>>();
        assert_eq!(
            values(&[0b1010_0000, 0x80], BitDepth::One, 9),
            [1, 0, 1, 0, 0, 0, 0, 0, 1]
        );
        assert_eq!(values(&[0b1101_0010], BitDepth::Two, 3), [3, 1, 0]);
        assert_eq!(values(&[0x5a, 0xf0], BitDepth::Four, 3), [5, 10, 15]);
        assert_eq!(values(&[7, 255], BitDepth::Eight, 2), [7, 255]);
        assert_eq!(values(&[1, 2], BitDepth::Sixteen, 1), [258]);
    }

    #[test]
    fn nearest_values_are_taken() {
        let resized = |to| resized(&[1, 2, 3, 4], [2, 2], to).collect::<Vec<_>>();
        assert_eq!(resized([2, 2]), [1, 2, 3, 4]);
        assert_eq!(resized([4, 2]), [1, 2, 1, 2, 3, 4, 3, 4]);
        assert_eq!(resized([1, 3]), [3, 4, 4]);
    }
}
