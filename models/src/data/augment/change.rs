//! What an augmentation does to one image, once drawn.

use std::ops::Range;

/// A change of an image, and of the map of its pixels' classes.
pub(super) enum Change {
    Nothing,
    /// Left and right.
    Mirror,
    /// Down and right; what comes in is the border repeated, or black.
    Move {
        by: [isize; 2],
        repeats: bool,
    },
    /// By an angle in radians, counter-clockwise as seen.
    Turn(f32),
    /// These rows and columns.
    Blacken([Range<usize>; 2]),
}

impl Change {
    /// Changes an image in planes of `size` (height, width).
    pub fn apply(&self, image: &mut [f32], size: [usize; 2]) {
        let [height, width] = size;
        let mut old = Vec::new();
        for plane in image.chunks_exact_mut(height * width) {
            match self {
                Change::Nothing => {}
                Change::Mirror => plane.chunks_exact_mut(width).for_each(<[f32]>::reverse),
                Change::Move { by, repeats } => translate(plane, &mut old, size, *by, *repeats),
                Change::Turn(angle) => rotate(plane, &mut old, size, *angle, bilinear),
                Change::Blacken([rows, columns]) => {
                    for row in rows.clone() {
                        plane[row * width..][columns.clone()].fill(0.0);
                    }
                }
            }
        }
    }

    /// Changes a map of classes of `size` (height, width).
    pub fn apply_to_map(&self, map: &mut [i64], size: [usize; 2]) {
        let mut old = Vec::new();
        match self {
            Change::Nothing | Change::Blacken(_) => {}
            Change::Mirror => map.chunks_exact_mut(size[1]).for_each(<[i64]>::reverse),
            Change::Move { by, repeats } => translate(map, &mut old, size, *by, *repeats),
            Change::Turn(angle) => rotate(map, &mut old, size, *angle, nearest),
        }
    }
}

/// Moves a plane down by `dy` and right by `dx`; what comes in is the border repeated, or nothing. `old` is memory to work in.
fn translate<T: Copy + Default>(
    plane: &mut [T],
    old: &mut Vec<T>,
    [height, width]: [usize; 2],
    [dy, dx]: [isize; 2],
    repeats: bool,
) {
    let source = |to: usize, by: isize, extent: usize| -> Option<usize> {
        let at = to as isize - by;
        let clamped = at.clamp(0, extent as isize - 1);
        (repeats || at == clamped).then_some(clamped as usize)
    };
    old.clear();
    old.extend_from_slice(plane);
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let from_row = source(y, dy, height).map(|y| &old[y * width..][..width]);
        for (x, pixel) in row.iter_mut().enumerate() {
            let from_pixel = from_row.zip(source(x, dx, width));
            *pixel = from_pixel.map_or(T::default(), |(row, x)| row[x]);
        }
    }
}

/// Turns a plane about its centre by `angle` radians, counter-clockwise as seen; `sample` tells what it has at (row, column).
fn rotate<T: Copy>(
    plane: &mut [T],
    old: &mut Vec<T>,
    size: [usize; 2],
    angle: f32,
    sample: fn(&[T], [usize; 2], [f32; 2]) -> T,
) {
    let [height, width] = size;
    let (sin, cos) = angle.sin_cos();
    let (cy, cx) = ((height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0);
    old.clear();
    old.extend_from_slice(plane);
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        for (x, to) in row.iter_mut().enumerate() {
            let (dy, dx) = (y as f32 - cy, x as f32 - cx);
            let at = [cy + cos * dy + sin * dx, cx - sin * dy + cos * dx];
            *to = sample(old, size, at);
        }
    }
}

/// The element at whole coordinates, or nothing outside.
fn element<T: Copy + Default>(plane: &[T], [height, width]: [usize; 2], y: f32, x: f32) -> T {
    let is_inside = (0.0..height as f32).contains(&y) && (0.0..width as f32).contains(&x);
    match is_inside {
        true => plane[y as usize * width + x as usize],
        false => T::default(),
    }
}

fn bilinear(plane: &[f32], size: [usize; 2], [y, x]: [f32; 2]) -> f32 {
    let pixel = |y: f32, x: f32| element(plane, size, y, x);
    let (y0, x0) = (y.floor(), x.floor());
    let (fy, fx) = (y - y0, x - x0);
    let upper = pixel(y0, x0) * (1.0 - fx) + pixel(y0, x0 + 1.0) * fx;
    let lower = pixel(y0 + 1.0, x0) * (1.0 - fx) + pixel(y0 + 1.0, x0 + 1.0) * fx;
    upper * (1.0 - fy) + lower * fy
}

fn nearest(plane: &[i64], size: [usize; 2], [y, x]: [f32; 2]) -> i64 {
    element(plane, size, (y + 0.5).floor(), (x + 0.5).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_moves_every_pixel() {
        let turn = Change::Turn(std::f32::consts::FRAC_PI_2);
        let mut image: Vec<f32> = (1..=9u8).map(f32::from).collect();
        let mut map: Vec<i64> = (1..=9).collect();
        turn.apply(&mut image, [3, 3]);
        turn.apply_to_map(&mut map, [3, 3]);
        let rounded: Vec<i64> = image.iter().map(|v| v.round() as i64).collect();
        assert_eq!(rounded, [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        assert_eq!(map, rounded);
    }
}
