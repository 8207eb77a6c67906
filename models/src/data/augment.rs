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
//! The map of the classes of an image's pixels moves with it, by nearest neighbour: class 0 comes in where the image gets black, the border's
//! where that is repeated. `cutout` takes from the image only.
//!
//! What is drawn depends on nothing but the stream of random numbers: open it for (seed, epoch, place), as
//! [`Batch::fill`](super::Batch::fill) does, and neither threads nor a resumed run change an image.

mod change;

use crate::random::Random;
use crate::spec::{Spec, SpecError};
use change::Change;
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
        self.apply_with(image, None, shape, random);
    }

    /// Changes an image and, where there is one, the `map` of the classes of its pixels (height, width), with the same draws.
    pub fn apply_with(
        &self,
        image: &mut [f32],
        mut map: Option<&mut [i64]>,
        shape: [usize; 3],
        random: &mut Random,
    ) {
        let [_, height, width] = shape;
        if height * width == 0 {
            return;
        }
        for augment in &self.0 {
            let change = augment.draw([height, width], random);
            change.apply(image, [height, width]);
            if let Some(map) = &mut map {
                change.apply_to_map(map, [height, width]);
            }
        }
    }
}

impl Augment {
    /// What is done to one image of that height and width.
    fn draw(self, [height, width]: [usize; 2], random: &mut Random) -> Change {
        match self {
            Augment::Flip => match random.coin() {
                true => Change::Mirror,
                false => Change::Nothing,
            },
            Augment::Crop(most) | Augment::Shift(most) => {
                let mut offset = || random.index(2 * most + 1) as isize - most as isize;
                Change::Move {
                    by: [offset(), offset()],
                    repeats: matches!(self, Augment::Shift(_)),
                }
            }
            Augment::Rotate(most) => Change::Turn(random.between(-most, most).to_radians() as f32),
            Augment::Cutout(side) => {
                let mut span = |extent: usize| {
                    let start = random.index(extent) as isize - (side / 2) as isize;
                    let end = start
                        .saturating_add_unsigned(side)
                        .clamp(0, extent as isize);
                    start.max(0) as usize..end as usize
                };
                Change::Blacken([span(height), span(width)])
            }
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
    fn small_turns_differ() {
        assert_eq!(all("rotate:0"), ["1 2 3 | 4 5 6 | 7 8 9"]);
        assert!(all("rotate:15").len() > 100);
    }

    /// Every change but the cutout does to a map of whole numbers what it does to an image of them.
    #[test]
    fn a_map_moves_with_its_image() {
        let augmentation: Augmentation = "flip crop:2 shift:1 flip".parse().unwrap();
        for stream in 0..50 {
            let mut image: Vec<f32> = (1..=12u8).map(f32::from).collect();
            let mut map: Vec<i64> = (1..=12).collect();
            let mut random = Random::of(&[stream]);
            augmentation.apply_with(&mut image, Some(&mut map), [1, 4, 3], &mut random);
            let whole: Vec<i64> = image.iter().map(|&v| v as i64).collect();
            assert_eq!(whole, map);
        }
        let cutout: Augmentation = "cutout:9".parse().unwrap();
        let (mut image, mut map) = ([1.0; 9], [1; 9]);
        cutout.apply_with(&mut image, Some(&mut map), [1, 3, 3], &mut Random::of(&[1]));
        assert_eq!((image, map), ([0.0; 9], [1; 9]));
    }

    /// A map turned by nearest neighbour is the image of its one class, turned and rounded, but for ties.
    #[test]
    fn a_map_turns_with_its_image() {
        let augmentation: Augmentation = "rotate:90".parse().unwrap();
        for stream in 0..50 {
            let mut map: Vec<i64> = (0..15 * 15).map(|at| i64::from(at % 15 > 6)).collect();
            let mut image: Vec<f32> = map.iter().map(|&c| c as f32).collect();
            let mut random = Random::of(&[stream]);
            augmentation.apply_with(&mut image, Some(&mut map), [1, 15, 15], &mut random);
            let differ = |&(v, &c): &(&f32, &i64)| (v.round() as i64 - c).abs() > 0;
            let differing = image.iter().zip(&map).filter(differ).count();
            assert!(differing < 12, "{differing} of 225 in stream {stream}");
        }
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
