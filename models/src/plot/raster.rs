//! Images of samples, and maps of classes, as rasters of squares.

use super::picture::{Color, Shape};
use crate::data::Samples;

/// One image, as large as a square of `side` pixels at (x, y) allows. The first three channels are red, green and blue; with fewer, the first
/// is grey. Brightness runs from the darkest value to the brightest, or from 0 to 1 where all lie there.
pub(super) fn image(samples: &Samples, index: usize, at: [f32; 2], side: f32) -> Shape {
    let [channels, height, width] = samples.shape();
    let mut pixels = vec![0.0; samples.image_len()];
    samples.read(index, &mut pixels);
    let (low, high) = pixels
        .iter()
        .fold((0f32, 1f32), |(l, h), v| (l.min(*v), h.max(*v)));
    let byte = |v: f32| ((v - low) / (high - low) * 255.0).round() as u8;
    let plane = height * width;
    let [red, green, blue] = if channels >= 3 {
        [0, plane, 2 * plane]
    } else {
        [0; 3]
    };
    let color = |p: usize| {
        Color([
            byte(pixels[red + p]),
            byte(pixels[green + p]),
            byte(pixels[blue + p]),
        ])
    };
    fitted([height, width], (0..plane).map(color).collect(), at, side)
}

/// A map of classes, row by row, in their colours.
pub(super) fn map(labels: &[u32], size: [usize; 2], at: [f32; 2], side: f32) -> Shape {
    fitted(
        size,
        labels.iter().map(|&l| class_color(l)).collect(),
        at,
        side,
    )
}

/// Colours of height times width squares, in the middle of a square of `side` pixels at (x, y).
fn fitted([height, width]: [usize; 2], colors: Vec<Color>, [x, y]: [f32; 2], side: f32) -> Shape {
    let cell = side / height.max(width).max(1) as f32;
    Shape::Raster {
        at: [
            x + (side - cell * width as f32) / 2.0,
            y + (side - cell * height as f32) / 2.0,
        ],
        cell,
        columns: width,
        colors,
    }
}

/// The colour of a class in a map: 0, most often the background, is dark; then the palette of Okabe and Ito (2008), again and again darker.
pub(super) fn class_color(class: u32) -> Color {
    const PALETTE: [[u8; 3]; 7] = [
        [0xe6, 0x9f, 0x00],
        [0x56, 0xb4, 0xe9],
        [0x00, 0x9e, 0x73],
        [0xf0, 0xe4, 0x42],
        [0xcc, 0x79, 0xa7],
        [0x00, 0x72, 0xb2],
        [0xd5, 0x5e, 0x00],
    ];
    let Some(at) = (class as usize).checked_sub(1) else {
        return Color::BLACK;
    };
    let round = at / PALETTE.len() % 4;
    Color(PALETTE[at % PALETTE.len()].map(|channel| channel >> round))
}
