//! Augmentation: images that show the same in another way, so that a network learns what they show and not how.
//!
//! | text | does |
//! |---|---|
//! | `flip` | mirrors left and right, every second time |
//! | `crop:P` | pads with P black pixels on every side and cuts out the image's size anywhere (He et al. 2016) |
//! | `shift:P` | moves by up to P pixels, repeating the border |
//! | `rotate:D` | turns about the centre by up to D degrees, bilinear, black outside |
//! | `cutout:S` | blackens a square of S by S pixels anywhere, cut off at the border (DeVries and Taylor 2017) |
//!
//! What is drawn depends on nothing but the stream of random numbers: open it for (seed, epoch, place), as
//! [`Batch::fill`](super::Batch::fill) does, and neither threads nor a resumed run change an image.

use crate::random::Random;
use crate::spec::{Spec, SpecError};
use std::fmt;
use std::str::FromStr;

/// One change, drawn anew for every image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augment {
    Flip,
    /// Pixels of padding.
    Crop(usize),
    /// Most pixels of motion along an axis.
    Shift(usize),
    /// Most degrees either way.
    Rotate(f64),
    /// Pixels of the square's side.
    Cutout(usize),
}

/// Changes, done in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation(pub Vec<Augment>);

impl Augmentation {
    /// Changes an `image` of `shape` (channels, height, width) in planes, all channels alike.
    pub fn apply(&self, image: &mut [f32], shape: [usize; 3], random: &mut Random) {
        for augment in &self.0 {
            augment.apply(image, shape, random);
        }
    }
}

impl Augment {
    fn apply(self, image: &mut [f32], [_, height, width]: [usize; 3], random: &mut Random) {
        let plane = height * width;
        if plane == 0 {
            return;
        }
        match self {
            Augment::Flip => {
                if random.coin() {
                    image.chunks_exact_mut(width).for_each(<[f32]>::reverse);
                }
            }
            Augment::Crop(most) | Augment::Shift(most) => {
                let mut offset = || random.index(2 * most + 1) as isize - most as isize;
                let by = [offset(), offset()];
                let repeats = matches!(self, Augment::Shift(_));
                let mut old = vec![0.0; plane];
                for plane in image.chunks_exact_mut(plane) {
                    old.copy_from_slice(plane);
                    translate(&old, plane, [height, width], by, repeats);
                }
            }
            Augment::Rotate(most) => {
                let angle = random.between(-most, most).to_radians();
                let mut old = vec![0.0; plane];
                for plane in image.chunks_exact_mut(plane) {
                    old.copy_from_slice(plane);
                    rotate(&old, plane, [height, width], angle as f32);
                }
            }
            Augment::Cutout(side) => {
                let mut span = |extent: usize| {
                    let start = random.index(extent) as isize - (side / 2) as isize;
                    let end = start
                        .saturating_add_unsigned(side)
                        .clamp(0, extent as isize);
                    start.max(0) as usize..end as usize
                };
                let (rows, columns) = (span(height), span(width));
                for plane in image.chunks_exact_mut(plane) {
                    for row in rows.clone() {
                        plane[row * width..][columns.clone()].fill(0.0);
                    }
                }
            }
        }
    }
}

/// Moves a plane down by `dy` and right by `dx`; what comes in is the border repeated, or black.
fn translate(
    from: &[f32],
    to: &mut [f32],
    [height, width]: [usize; 2],
    [dy, dx]: [isize; 2],
    repeats: bool,
) {
    let source = |to: usize, by: isize, extent: usize| -> Option<usize> {
        let at = to as isize - by;
        let clamped = at.clamp(0, extent as isize - 1);
        (repeats || at == clamped).then_some(clamped as usize)
    };
    for (y, row) in to.chunks_exact_mut(width).enumerate() {
        let from_row = source(y, dy, height).map(|y| &from[y * width..][..width]);
        for (x, pixel) in row.iter_mut().enumerate() {
            let from_pixel = from_row.zip(source(x, dx, width));
            *pixel = from_pixel.map_or(0.0, |(row, x)| row[x]);
        }
    }
}

/// Turns a plane about its centre by `angle` radians, counter-clockwise as seen.
fn rotate(from: &[f32], to: &mut [f32], [height, width]: [usize; 2], angle: f32) {
    let (sin, cos) = angle.sin_cos();
    let (cy, cx) = ((height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0);
    let pixel = |y: f32, x: f32| {
        let is_inside = (0.0..height as f32).contains(&y) && (0.0..width as f32).contains(&x);
        if is_inside {
            from[y as usize * width + x as usize]
        } else {
            0.0
        }
    };
    for (y, row) in to.chunks_exact_mut(width).enumerate() {
        for (x, to) in row.iter_mut().enumerate() {
            let (dy, dx) = (y as f32 - cy, x as f32 - cx);
            let (sy, sx) = (cy + cos * dy + sin * dx, cx - sin * dy + cos * dx);
            let (y0, x0) = (sy.floor(), sx.floor());
            let (fy, fx) = (sy - y0, sx - x0);
            let upper = pixel(y0, x0) * (1.0 - fx) + pixel(y0, x0 + 1.0) * fx;
            let lower = pixel(y0 + 1.0, x0) * (1.0 - fx) + pixel(y0 + 1.0, x0 + 1.0) * fx;
            *to = upper * (1.0 - fy) + lower * fy;
        }
    }
}

impl FromStr for Augment {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Augment, SpecError> {
        let mut spec = Spec::parse("augmentation", text);
        let pixels = |spec: &mut Spec| match spec.count("")? {
            Some(n) => Ok(n as usize),
            None => Err(spec.absent("a number of pixels")),
        };
        let augment = match spec.name() {
            "flip" => Augment::Flip,
            "crop" => Augment::Crop(pixels(&mut spec)?),
            "shift" => Augment::Shift(pixels(&mut spec)?),
            "rotate" => match spec.number("", 0.0, 180.0)? {
                Some(degrees) => Augment::Rotate(degrees),
                None => return Err(spec.absent("a number of degrees")),
            },
            "cutout" => Augment::Cutout(pixels(&mut spec)?),
            _ => return Err(spec.unknown(&["flip", "crop:P", "shift:P", "rotate:D", "cutout:S"])),
        };
        spec.finish()?;
        Ok(augment)
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Augment::Flip => f.write_str("flip"),
            Augment::Crop(pixels) => write!(f, "crop:{pixels}"),
            Augment::Shift(pixels) => write!(f, "shift:{pixels}"),
            Augment::Rotate(degrees) => write!(f, "rotate:{degrees}"),
            Augment::Cutout(side) => write!(f, "cutout:{side}"),
        }
    }
}

/// Augmentations with spaces between.
impl FromStr for Augmentation {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Augmentation, SpecError> {
        let augments = text.split_whitespace().map(str::parse);
        augments.collect::<Result<_, _>>().map(Augmentation)
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(Augment::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3x3 image of the digits 1 to 9 after an augmentation.
    fn augmented(text: &str, stream: u64) -> String {
        let mut image: Vec<f32> = (1..=9u8).map(f32::from).collect();
        let augmentation: Augmentation = text.parse().unwrap();
        augmentation.apply(&mut image, [1, 3, 3], &mut Random::of(&[stream]));
        let rows = image
            .chunks(3)
            .map(|row| format!("{} {} {}", row[0], row[1], row[2]));
        rows.collect::<Vec<_>>().join(" | ")
    }

    /// All that an augmentation makes of the image, sorted.
    fn all(text: &str) -> Vec<String> {
        let mut found: Vec<String> = (0..400).map(|stream| augmented(text, stream)).collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn every_outcome_comes() {
        assert_eq!(
            all("flip"),
            ["1 2 3 | 4 5 6 | 7 8 9", "3 2 1 | 6 5 4 | 9 8 7"]
        );
        let crops = all("crop:1");
        assert_eq!(crops.len(), 9);
        assert_eq!(crops[0], "0 0 0 | 0 1 2 | 0 4 5");
        let shifts = all("shift:1");
        assert_eq!(shifts.len(), 9);
        assert_eq!(shifts[0], "1 1 2 | 1 1 2 | 4 4 5");
        let cuts = all("cutout:1");
        assert_eq!(cuts.len(), 9);
        assert_eq!(cuts[0], "0 2 3 | 4 5 6 | 7 8 9");
        assert_eq!(all("cutout:6"), ["0 0 0 | 0 0 0 | 0 0 0"]);
    }

    #[test]
    fn a_quarter_turn_moves_every_pixel() {
        let from: Vec<f32> = (1..=9u8).map(f32::from).collect();
        let mut to = vec![0.0; 9];
        rotate(&from, &mut to, [3, 3], std::f32::consts::FRAC_PI_2);
        let rounded: Vec<i32> = to.iter().map(|v| v.round() as i32).collect();
        assert_eq!(rounded, [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        assert_eq!(all("rotate:0"), ["1 2 3 | 4 5 6 | 7 8 9"]);
        assert!(all("rotate:15").len() > 100);
    }

    #[test]
    fn channels_change_alike() {
        let mut image: Vec<f32> = (1..=9u8).chain(1..=9).map(f32::from).collect();
        let augmentation: Augmentation = "flip crop:2 shift:1 rotate:30 cutout:2".parse().unwrap();
        for stream in 0..50 {
            augmentation.apply(&mut image, [2, 3, 3], &mut Random::of(&[stream]));
            assert_eq!(image[..9], image[9..]);
        }
    }

    #[test]
    fn text_and_value_are_the_same() {
        let text = "flip crop:4 shift:2 rotate:15.5 cutout:8";
        assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
        let fault = |text: &str| text.parse::<Augmentation>().unwrap_err().to_string();
        insta::assert_snapshot!(fault("flip twist:2"), @"unknown augmentation 'twist' (known: flip, crop:P, shift:P, rotate:D, cutout:S)");
        insta::assert_snapshot!(fault("crop"), @"augmentation 'crop' needs a number of pixels");
        insta::assert_snapshot!(fault("crop:-1"), @"augmentation 'crop': expected a whole number above 0, got '-1'");
        insta::assert_snapshot!(fault("flip:2"), @"augmentation 'flip' takes no option '2'");
    }
}
