//! A small data set for networks that tell the class of every pixel: handwritten digits on photographs.
//!
//! ```text
//! cargo run --release -p cnnc-models --example digits_on_photos -- DIGITS PHOTOS OUT [SIDE]
//! cnnc train models/zoo/unet.cnn --set size=64,width=16 --data OUT
//! ```
//!
//! DIGITS is a data set of digits, as MNIST; PHOTOS a folder of pictures. OUT gets `x_train`, `y_train` (800), `x_test`, `y_test` (200) as `.npy`,
//! u8, and `classes.txt`: grey images of SIDE by SIDE (64), cut out of a photograph anywhere, with one to three digits of any size at any
//! place, bright on dark ground and dark on bright; in the maps 1 where a stroke covers more than half of a pixel, else 0. The same
//! arguments give the same bytes; no digit and no photograph stands in both parts.

use cnnc_ir::{DType, Tensor};
use cnnc_models::data::numpy::to_npy;
use cnnc_models::data::{Dataset, Options, Samples};
use cnnc_models::random::Random;
use image::GrayImage;
use image::imageops::{FilterType, crop_imm, resize};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Images of the two parts.
const COUNTS: [usize; 2] = [800, 200];
/// One photograph in so many is kept for the test part.
const HELD_OUT: usize = 4;
const MOST_DIGITS: usize = 3;
/// The cover of a stroke up to which a pixel is background.
const HALF: u8 = 127;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [digits, photos, out, rest @ ..] = &args[..] else {
        return Err("give DIGITS PHOTOS OUT [SIDE]".into());
    };
    let side: usize = rest.first().map_or(Ok(64), |text| text.parse())?;
    if !(16..=1024).contains(&side) {
        return Err("SIDE must be from 16 to 1024".into());
    }
    let digits = Dataset::open(Path::new(digits), &Options::default())?;
    let photos = photographs(Path::new(photos), side)?;
    let (held_out, others): (Vec<_>, Vec<_>) =
        (photos.into_iter().enumerate()).partition(|(index, _)| index % HELD_OUT == 0);
    if held_out.is_empty() || others.is_empty() {
        return Err("two photographs, at least, must be as large as an image".into());
    }

    let out = Path::new(out);
    fs::create_dir_all(out)?;
    fs::write(out.join("classes.txt"), "background\ndigit\n")?;
    let parts = [
        ("train", &digits.train, others),
        ("test", &digits.test, held_out),
    ];
    for (seed, ((part, digits, photos), count)) in parts.into_iter().zip(COUNTS).enumerate() {
        let photos: Vec<GrayImage> = photos.into_iter().map(|(_, photo)| photo).collect();
        let (mut images, mut maps) = (Vec::new(), Vec::new());
        for index in 0..count {
            let mut random = Random::of(&[seed as u64, index as u64]);
            let mut scene = Scene::new(&photos, side, &mut random);
            for _ in 0..=random.index(MOST_DIGITS) {
                scene.write(digits, &mut random);
            }
            images.extend(scene.image);
            maps.extend(scene.map);
        }
        let shape = vec![count, side, side];
        for (name, bytes) in [("x", images), ("y", maps)] {
            let tensor = Tensor::new(DType::U8, shape.clone(), bytes.into());
            let tensor = tensor.ok_or("an image has other pixels than its side says")?;
            fs::write(out.join(format!("{name}_{part}.npy")), to_npy(&tensor))?;
        }
    }
    Ok(())
}

/// The pictures of a folder in the order of their names, in grey; those that are smaller than an image are left out.
fn photographs(folder: &Path, side: usize) -> Result<Vec<GrayImage>, Box<dyn Error>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, std::io::Error>>()?;
    paths.sort();
    let is_picture = |path: &&PathBuf| path.extension().is_some_and(|e| e == "jpg" || e == "png");
    let mut photos = Vec::new();
    for path in paths.iter().filter(is_picture) {
        let photo = image::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let photo = photo.to_luma8();
        if photo.width().min(photo.height()) as usize >= side {
            photos.push(photo);
        }
    }
    Ok(photos)
}

/// An image in the making, and the classes of its pixels.
struct Scene {
    side: usize,
    image: Vec<u8>,
    map: Vec<u8>,
}

impl Scene {
    /// A square of a photograph, which is made smaller first, by chance.
    fn new(photos: &[GrayImage], side: usize, random: &mut Random) -> Scene {
        let photo = &photos[random.index(photos.len())];
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        let most = width.min(height).min(4 * side);
        let cut = side + random.index(most - side + 1);
        let [x, y] = [width, height].map(|extent| random.index(extent - cut + 1) as u32);
        let square = crop_imm(photo, x, y, cut as u32, cut as u32).to_image();
        let image = resize(&square, side as u32, side as u32, FilterType::Triangle);
        Scene {
            side,
            image: image.into_raw(),
            map: vec![0; side * side],
        }
    }

    /// Writes a digit of a third to two thirds of the image's side, bright on dark ground, dark on bright.
    fn write(&mut self, digits: &Samples, random: &mut Random) {
        let [_, height, width] = digits.shape();
        let mut pixels = vec![0.0; digits.image_len()];
        digits.read(random.index(digits.len()), &mut pixels);
        let bytes = pixels.iter().map(|v| (v * 255.0).round() as u8);
        let digit = GrayImage::from_raw(width as u32, height as u32, bytes.collect());
        let Some(digit) = digit else { return };
        let size = self.side / 3 + random.index(self.side / 3 + 1);
        let digit = resize(&digit, size as u32, size as u32, FilterType::Triangle);
        let [x, y] = [(); 2].map(|()| random.index(self.side - size + 1));
        let covers = digit.into_raw();
        let place = |at: usize| (y + at / size) * self.side + x + at % size;
        let covered = || (0..size * size).filter(|&at| covers[at] > HALF);
        let ground: u64 = covered().map(|at| u64::from(self.image[place(at)])).sum();
        let ink = match ground < 128 * covered().count() as u64 {
            true => 160 + random.below(96),
            false => random.below(96),
        };
        for (at, cover) in covers.iter().copied().enumerate() {
            let place = place(at);
            let is_stroke = cover > HALF;
            let cover = u64::from(cover);
            let under = u64::from(self.image[place]);
            self.image[place] = ((ink * cover + under * (255 - cover) + 127) / 255) as u8;
            if is_stroke {
                self.map[place] = 1;
            }
        }
    }
}
