//! Images of arrays, with their maps, at another size.

use super::error::DataError;
use super::masks;
use super::part::Part;
use super::samples::Pixels;
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};

/// Brings images to `size` (height, width) as pictures are, planes by weighing what a pixel covers, maps by nearest neighbour. What
/// has that size stays as it is.
pub(super) fn resized(mut part: Part, size: [usize; 2], limit: usize) -> Result<Part, DataError> {
    let [channels, height, width] = part.images.shape;
    if [height, width] == size {
        return Ok(part);
    }
    let Pixels::U8(pixels) = &part.images.pixels else {
        let what = format!("floats of {height}x{width}; only bytes are resized");
        return Err(DataError::corrupt(&part.images.path, what));
    };
    let needed = [part.images.count, channels, size[0], size[1]];
    let needed = needed.map(|n| n as u128).iter().product();
    if needed > limit as u128 {
        return Err(DataError::TooLarge {
            path: part.images.path,
            needed,
            limit,
        });
    }
    let side = |n: usize| u32::try_from(n).ok();
    let sides = [height, width, size[0], size[1]].map(side);
    let [
        Some(from_height),
        Some(from_width),
        Some(to_height),
        Some(to_width),
    ] = sides
    else {
        let what = format!("images of {height}x{width}, too large to resize");
        return Err(DataError::corrupt(&part.images.path, what));
    };
    let planes = pixels.chunks_exact(height * width).filter_map(|plane| {
        let plane = ImageBuffer::<Luma<u8>, _>::from_raw(from_width, from_height, plane)?;
        Some(resize(&plane, to_width, to_height, FilterType::Triangle).into_raw())
    });
    part.images.pixels = Pixels::U8(planes.flatten().collect());
    part.images.shape = [channels, size[0], size[1]];
    if part.labels.map == Some([height, width]) {
        let maps = part.labels.values.chunks_exact(height * width);
        let values = maps.flat_map(|values| masks::resized(values, [height, width], size));
        part.labels.values = values.collect();
        part.labels.map = Some(size);
    }
    Ok(part)
}
