//! Photographs as tensors and back: PNG and JPEG files of any size, colour or not.
//!
//! A tensor of a photograph is f32\[1, 3 or 1, H, W\], 0 (dark) to 1. Photographs lie as their camera says (EXIF orientation); what shines
//! through them is white.

use cnnc_ir::{DType, Tensor};
use image::imageops::FilterType;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader, Limits,
    codecs::png::PngEncoder,
};
use std::io;
use std::path::{Path, PathBuf};

/// Width and height of the largest photograph that is read, before it is resized.
const MAX_SIDE: u32 = 1 << 14;
/// Bytes that a decoded photograph may take.
const MAX_BYTES: u64 = 2 << 30;

/// What is wrong with a photograph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhotoError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Decode {
        path: PathBuf,
        source: image::ImageError,
    },
    #[error("a photograph has 1 or 3 channels, {0} are asked for")]
    Channels(usize),
    #[error("a tensor of shape {0:?} is no photograph: expected 1x1xHxW or 1x3xHxW")]
    Shape(Vec<usize>),
    #[error("{0}")]
    Encode(image::ImageError),
}

/// A photograph in memory.
#[derive(Clone, Debug)]
pub struct Photo(DynamicImage);

impl Photo {
    /// Reads a `.png` or `.jpg` file, whatever its name.
    ///
    /// # Errors
    /// If the file cannot be read, is no picture, or has a side of more than 16,384 pixels.
    pub fn open(path: &Path) -> Result<Photo, PhotoError> {
        let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
        let mut reader = reader.map_err(|source| PhotoError::Io {
            path: path.into(),
            source,
        })?;
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_BYTES);
        reader.limits(limits);
        let decode = || {
            let mut decoder = reader.into_decoder()?;
            let orientation = decoder.orientation()?;
            let mut image = DynamicImage::from_decoder(decoder)?;
            image.apply_orientation(orientation);
            Ok(image)
        };
        let image = decode().map_err(|source| PhotoError::Decode {
            path: path.into(),
            source,
        })?;
        Ok(Photo(on_white(image)))
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.0.height() as usize, self.0.width() as usize]
    }

    /// Whether it has colours, and is not grey throughout by its format.
    pub fn has_color(&self) -> bool {
        self.0.color().has_color()
    }

    /// The same at that height and width.
    pub fn resized(&self, [height, width]: [usize; 2]) -> Photo {
        let [h, w] = [height, width].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        match self.size() == [height, width] {
            true => self.clone(),
            false => Photo(self.0.resize_exact(w, h, FilterType::Triangle)),
        }
    }

    /// The same with no side longer than `most` pixels, its proportions kept.
    pub fn bounded(&self, most: usize) -> Photo {
        let size = self.size();
        let longest = size[0].max(size[1]);
        match longest <= most {
            true => self.clone(),
            false => self.resized(size.map(|n| ((n * most + longest / 2) / longest).max(1))),
        }
    }

    /// f32\[1, channels, H, W\], 0 to 1.
    ///
    /// # Errors
    /// If there are to be other than 1 or 3 channels.
    pub fn tensor(&self, channels: usize) -> Result<Tensor, PhotoError> {
        let pixels = match channels {
            1 => self.0.to_luma8().into_raw(),
            3 => self.0.to_rgb8().into_raw(),
            _ => return Err(PhotoError::Channels(channels)),
        };
        let plane = |c: usize| pixels.iter().skip(c).step_by(channels);
        let values: Vec<f64> = (0..channels)
            .flat_map(|c| plane(c).map(|&p| f64::from(p) / 255.0))
            .collect();
        let [h, w] = self.size();
        Ok(Tensor::from_f64(DType::F32, &[1, channels, h, w], &values))
    }
}

/// Lays a picture that is transparent somewhere on white.
fn on_white(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let over = |value: u8, alpha: u8| {
        let alpha = u32::from(alpha);
        ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    if image.color().has_color() {
        let mut rgba = image.into_rgba8();
        for pixel in rgba.pixels_mut() {
            let [r, g, b, a] = pixel.0;
            pixel.0 = [over(r, a), over(g, a), over(b, a), 255];
        }
        return DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8());
    }
    let mut grey = image.into_luma_alpha8();
    for pixel in grey.pixels_mut() {
        let [value, a] = pixel.0;
        pixel.0 = [over(value, a), 255];
    }
    DynamicImage::ImageLuma8(DynamicImage::ImageLumaA8(grey).into_luma8())
}

/// The bytes of a `.png` file of a tensor \[1, 3 or 1, H, W\] in which white is `white`; values beyond are cut off.
///
/// # Errors
/// If the tensor has another shape.
pub fn png(tensor: &Tensor, white: f64) -> Result<Vec<u8>, PhotoError> {
    let [1, channels @ (1 | 3), height, width] = *tensor.shape() else {
        return Err(PhotoError::Shape(tensor.shape().to_vec()));
    };
    let (values, plane) = (tensor.to_f64(), height * width);
    let pixels: Vec<u8> = (0..plane)
        .flat_map(|p| (0..channels).map(move |c| c * plane + p))
        .map(|i| (values[i] / white * 255.0).round().clamp(0.0, 255.0) as u8)
        .collect();
    let color = match channels {
        1 => ExtendedColorType::L8,
        _ => ExtendedColorType::Rgb8,
    };
    let [h, w] = [height, width].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let mut file = Vec::new();
    let written = PngEncoder::new(&mut file).write_image(&pixels, w, h, color);
    written.map_err(PhotoError::Encode)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, GrayImage, LumaA, RgbImage, Rgba, RgbaImage};

    fn opened(image: DynamicImage) -> Photo {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.png");
        image.save(&path).unwrap();
        Photo::open(&path).unwrap()
    }

    #[test]
    fn pixels_become_planes_and_come_back() {
        let rgb = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 255]));
        let photo = opened(DynamicImage::ImageRgb8(rgb.clone()));
        assert_eq!((photo.size(), photo.has_color()), ([2, 3], true));
        let tensor = photo.tensor(3).unwrap();
        let levels: Vec<i64> = tensor
            .to_f64()
            .iter()
            .map(|v| (v * 255.0).round() as i64)
            .collect();
        assert_eq!(tensor.shape(), [1, 3, 2, 3]);
        assert_eq!(
            levels,
            [
                0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 255, 255, 255, 255, 255, 255
            ]
        );
        let back = image::load_from_memory(&png(&tensor, 1.0).unwrap()).unwrap();
        assert_eq!(back.into_rgb8(), rgb);
    }

    #[test]
    fn what_shines_through_is_white() {
        let rgba = RgbaImage::from_pixel(1, 1, Rgba([255, 0, 100, 51]));
        let tensor = opened(DynamicImage::ImageRgba8(rgba)).tensor(3).unwrap();
        let levels: Vec<f64> = tensor
            .to_f64()
            .iter()
            .map(|v| (v * 255.0).round())
            .collect();
        assert_eq!(levels, [255.0, 204.0, 224.0]);
        let grey = GrayAlphaImage::from_pixel(1, 1, LumaA([0, 0]));
        let photo = opened(DynamicImage::ImageLumaA8(grey));
        assert!(!photo.has_color());
        assert_eq!(photo.tensor(1).unwrap().to_f64(), [1.0]);
    }

    #[test]
    fn sizes_are_bounded_in_proportion() {
        let photo = Photo(DynamicImage::ImageLuma8(GrayImage::new(640, 427)));
        assert_eq!(photo.bounded(320).size(), [214, 320]);
        assert_eq!(photo.bounded(1000).size(), [427, 640]);
        assert_eq!(photo.bounded(1).size(), [1, 1]);
        assert_eq!(photo.resized([5, 7]).size(), [5, 7]);
    }

    #[test]
    fn refusals_are_told() {
        let photo = Photo(DynamicImage::ImageLuma8(GrayImage::new(2, 2)));
        insta::assert_snapshot!(photo.tensor(2).unwrap_err(), @"a photograph has 1 or 3 channels, 2 are asked for");
        let flat = Tensor::from_f64(DType::F32, &[2], &[0.0, 1.0]);
        insta::assert_snapshot!(png(&flat, 1.0).unwrap_err(), @"a tensor of shape [2] is no photograph: expected 1x1xHxW or 1x3xHxW");
    }
}
