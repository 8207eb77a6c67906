//! A stroke font: every character as a few lines and curves, drawn with a round pen.
//!
//! A glyph's grid has the baseline at y = 8, capitals' tops at 0, small letters' at 3, descenders' ends at 11. A stroke is a list of points,
//! each two digits in base 36, x and y. `~` makes it a quadratic B-spline (it starts and ends at its end points, and in between passes the
//! middle of each two); one that ends where it starts is closed. A single point is a dot.

use tiny_skia::{Path, PathBuilder};

/// Units of the grid in an em.
const EM: f32 = 11.5;
/// Units between glyphs.
const GAP: f32 = 2.2;
const SPACE: f32 = 3.0;
const BASELINE: f32 = 8.0;

/// What has no glyph of its own.
const UNKNOWN: &str = "00 40 48 08 00";

#[rustfmt::skip]
const GLYPHS: &[(char, &str)] = &[
    ('0', "~00 40 44 48 08 04 00"), ('1', "02 20 28, 08 48"), ('2', "~02 00 40 44 08, 08 48"),
    ('3', "~01 00 40 44 14, ~14 44 48 08 07"), ('4', "38 30 06 46"), ('5', "40 00 04, ~04 03 43 48 08 07"),
    ('6', "~41 40 00 06 08 48 43 03 06"), ('7', "00 40 18"), ('8', "~00 40 44 04 00, ~04 44 48 08 04"),
    ('9', "~07 08 48 42 40 00 05 45 42"),
    ('A', "08 30 68, 15 55"), ('B', "00 08, ~00 20 40 44 24 04, ~04 24 54 58 28 08"), ('C', "~52 50 00 04 08 58 56"),
    ('D', "00 08, ~00 20 50 54 58 28 08"), ('E', "40 00 08 48, 04 34"), ('F', "40 00 08, 04 34"),
    ('G', "~52 50 00 04 08 58 54, 54 34"), ('H', "00 08, 50 58, 04 54"), ('I', "00 08"), ('J', "~30 35 38 08 06"),
    ('K', "00 08, 50 05, 23 58"), ('L', "00 08 48"), ('M', "08 00 35 60 68"), ('N', "08 00 58 50"),
    ('O', "~00 60 64 68 08 04 00"), ('P', "00 08, ~00 20 50 54 24 04"), ('Q', "~00 60 64 68 08 04 00, 46 69"),
    ('R', "00 08, ~00 20 50 54 24 04, 34 58"), ('S', "~51 50 00 04 54 58 08 07"), ('T', "00 60, 30 38"),
    ('U', "~00 05 08 58 55 50"), ('V', "00 38 60"), ('W', "00 28 41 68 80"), ('X', "00 58, 50 08"), ('Y', "00 34 60, 34 38"),
    ('Z', "00 50 08 58"),
    ('a', "~03 43 48 08 03, 43 48"), ('b', "00 08, ~03 43 48 08 03"), ('c', "~44 43 03 08 48 47"), ('d', "40 48, ~03 43 48 08 03"),
    ('e', "05 45, ~45 43 03 08 48 47"), ('f', "~30 10 14 18, 03 33"), ('g', "~03 43 48 08 03, ~43 48 4b 0b 0a"),
    ('h', "00 08, ~05 03 43 45 48"), ('i', "03 08, 01"), ('j', "~13 18 1b 0b, 11"), ('k', "00 08, 43 06, 15 48"), ('l', "00 08"),
    ('m', "03 08, ~05 03 33 35 38, ~35 33 63 65 68"), ('n', "03 08, ~05 03 43 45 48"), ('o', "~03 43 48 08 03"),
    ('p', "03 0b, ~03 43 48 08 03"), ('q', "43 4b, ~03 43 48 08 03"), ('r', "03 08, ~05 03 33"), ('s', "~44 43 03 05 46 48 08 07"),
    ('t', "~11 15 18 38, 03 33"), ('u', "~03 06 08 48 46, 43 48"), ('v', "03 28 43"), ('w', "03 18 34 58 63"), ('x', "03 48, 43 08"),
    ('y', "03 28, 43 0b"), ('z', "03 43 08 48"),
    ('.', "08"), (',', "18 0a"), (':', "08, 04"), (';', "18 0a, 14"), ('!', "00 05, 08"), ('?', "~01 00 40 44 24 26, 28"),
    ('\'', "00 02"), ('"', "00 02, 20 22"), ('-', "05 35"), ('+', "05 45, 23 27"), ('=', "04 44, 06 46"), ('_', "09 49"), ('/', "40 08"),
    ('\\', "00 48"), ('|', "00 0a"), ('(', "~20 00 0a 2a"), (')', "~00 20 2a 0a"), ('[', "20 00 0a 2a"), (']', "00 20 2a 0a"),
    ('<', "43 05 47"), ('>', "03 45 07"), ('*', "22 26, 03 45, 05 43"), ('%', "~00 20 23 03 00, 50 08, ~35 55 58 38 35"),
    ('#', "11 17, 31 37, 03 43, 05 45"), ('&', "~58 02 00 30 33 05 08 38 55"),
];

fn strokes(c: char) -> &'static str {
    GLYPHS
        .iter()
        .find(|(g, _)| *g == c)
        .map_or(UNKNOWN, |(_, strokes)| strokes)
}

/// A point of the table.
fn point(digits: &str) -> [f32; 2] {
    let mut digits = digits.chars().map(|d| d.to_digit(36).unwrap_or(0) as f32);
    [digits.next().unwrap_or(0.0), digits.next().unwrap_or(0.0)]
}

/// Units of the grid to the right end of a glyph.
fn extent(c: char) -> f32 {
    if c == ' ' {
        return SPACE - GAP;
    }
    let points = strokes(c).split([' ', ',', '~']).filter(|p| !p.is_empty());
    points.map(|p| point(p)[0]).fold(0.0, f32::max)
}

/// The width of a line of text in pixels.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let units: f32 = text.chars().map(|c| extent(c) + GAP).sum();
    (units - GAP).max(0.0) * size / EM
}

/// The pen's width in pixels.
pub(super) fn weight(size: f32) -> f32 {
    size * 0.085
}

/// A text ready to be drawn.
pub(super) struct Drawing {
    pub strokes: Option<Path>,
    pub dots: Option<Path>,
}

/// Lays a text out with its baseline starting at `at`.
pub(super) fn lay_out(text: &str, [x, y]: [f32; 2], size: f32) -> Drawing {
    let unit = size / EM;
    let (mut lines, mut dots) = (PathBuilder::new(), PathBuilder::new());
    let mut start = x;
    for c in text.chars() {
        let place = |digits: &str| {
            let [px, py] = point(digits);
            [start + px * unit, y + (py - BASELINE) * unit]
        };
        for stroke in strokes(c).split(", ").filter(|_| c != ' ') {
            let points: Vec<[f32; 2]> = stroke
                .trim_start_matches('~')
                .split(' ')
                .map(place)
                .collect();
            match (&points[..], stroke.starts_with('~')) {
                (&[[x, y]], _) => dots.push_circle(x, y, weight(size) * 0.75),
                (points, true) => spline(&mut lines, points),
                (points, false) => polyline(&mut lines, points),
            }
        }
        start += (extent(c) + GAP) * unit;
    }
    Drawing {
        strokes: lines.finish(),
        dots: dots.finish(),
    }
}

fn polyline(path: &mut PathBuilder, points: &[[f32; 2]]) {
    for (i, &[x, y]) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
}

fn spline(path: &mut PathBuilder, points: &[[f32; 2]]) {
    let middle = |a: [f32; 2], b: [f32; 2]| [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else {
        return;
    };
    let is_closed = first == last;
    let [x, y] = if is_closed {
        middle(first, points[1])
    } else {
        first
    };
    path.move_to(x, y);
    // Each control point carries the curve to the middle between it and the next.
    for pair in points[1..].windows(2) {
        let is_last =
            pair[1] == last && !is_closed && std::ptr::eq(&pair[1], &points[points.len() - 1]);
        let [x, y] = if is_last {
            last
        } else {
            middle(pair[0], pair[1])
        };
        path.quad_to(pair[0][0], pair[0][1], x, y);
    }
    if is_closed {
        let [x, y] = middle(first, points[1]);
        path.quad_to(first[0], first[1], x, y);
        path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_points_on_the_grid() {
        for (c, strokes) in GLYPHS {
            for stroke in strokes.split(", ") {
                for digits in stroke.trim_start_matches('~').split(' ') {
                    assert_eq!(digits.len(), 2, "{c}: {stroke}");
                    let [x, y] = point(digits);
                    assert!(x <= 8.0 && y <= 11.0, "{c}: {stroke}");
                }
            }
        }
    }

    #[test]
    fn letters_and_digits_have_glyphs() {
        let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9');
        assert!(letters.into_iter().all(|c| strokes(c) != UNKNOWN));
        assert_eq!(strokes('é'), UNKNOWN);
    }

    #[test]
    fn text_is_as_wide_as_its_glyphs() {
        assert_eq!(width("", 11.5), 0.0);
        assert_eq!(width("H", 11.5), 5.0);
        assert_eq!(width("HH", 11.5), 12.2);
        assert_eq!(width("H H", 11.5), 15.2);
    }
}
