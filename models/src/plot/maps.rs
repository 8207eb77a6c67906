//! What a network says of the pixels of the first images: each beside its true map of classes and the predicted one.

use super::picture::{Anchor, Color, Picture, Shape};
use super::{glyphs, raster};
use crate::data::Samples;

/// Most images that are shown.
const ROWS: usize = 6;
const COLUMNS: [&str; 3] = ["image", "true", "predicted"];
const IMAGE: f32 = 150.0;
const GAP: f32 = 20.0;
const HEAD: f32 = 34.0;
/// Height of a row: an image and a line of text.
const ROW: f32 = IMAGE + 34.0;
const TEXT: f32 = 13.0;
/// Height of a line of the legend, and side of its squares.
const LINE: f32 = 22.0;
const SQUARE: f32 = 13.0;

/// Draws the first six samples, or as many as `said` has maps for: the predicted class of every pixel, row by row. Below each predicted map stands
/// the share of its pixels that are right, at the end a legend of the classes to be seen. Classes without a name are shown by number.
pub fn maps(samples: &Samples, said: &[u32], classes: &[String]) -> Picture {
    let [_, height, width] = samples.shape();
    let pixels = samples.labels_each();
    let count = (said.len() / pixels).min(samples.len()).min(ROWS);
    let said = &said[..count * pixels];
    let entries = legend(&[samples.labels_of(0..count), said], classes);
    let total = GAP + COLUMNS.len() as f32 * (IMAGE + GAP);
    let places = places(&entries, total - 2.0 * GAP);
    let lines = places.last().map_or(0, |(line, _)| line + 1);
    let below = HEAD + ROW * count as f32;
    let mut picture = Picture::new(total as u32, (below + LINE * (lines + 1) as f32) as u32);
    let left = |column: usize| GAP + column as f32 * (IMAGE + GAP);
    let middle = |column: usize| left(column) + IMAGE / 2.0;
    for (column, head) in COLUMNS.iter().enumerate() {
        let at = [middle(column), HEAD - 12.0];
        picture.text(at, *head, TEXT, Anchor::Middle, Color::BLACK);
    }
    for (index, said) in said.chunks_exact(pixels.max(1)).enumerate() {
        let y = HEAD + ROW * index as f32;
        let truth = samples.labels_of(index..index + 1);
        let at = |column| [left(column), y];
        picture.shapes.extend([
            raster::image(samples, index, at(0), IMAGE),
            raster::map(truth, [height, width], at(1), IMAGE),
            raster::map(said, [height, width], at(2), IMAGE),
        ]);
        let right = truth.iter().zip(said).filter(|(t, s)| t == s).count();
        let text = format!(
            "{:.1} % of pixels right",
            right as f32 / pixels as f32 * 100.0
        );
        let at = [middle(2), y + IMAGE + 18.0];
        picture.text(at, text, TEXT, Anchor::Middle, Color::GRAY);
    }
    draw_legend(&mut picture, &entries, &places, below);
    picture
}

/// Colour and name of every class that a map has, in order.
fn legend(maps: &[&[u32]], classes: &[String]) -> Vec<(Color, String)> {
    let seen: std::collections::BTreeSet<u32> = maps.iter().copied().flatten().copied().collect();
    let name = |class: u32| match classes.get(class as usize) {
        Some(name) => name.clone(),
        None => class.to_string(),
    };
    seen.into_iter()
        .map(|class| (raster::class_color(class), name(class)))
        .collect()
}

/// Width of an entry with its square and the space behind it.
fn entry_width(name: &str) -> f32 {
    SQUARE + 6.0 + glyphs::width(name, TEXT) + GAP
}

/// Where each entry stands: its line and its x.
fn places(entries: &[(Color, String)], room: f32) -> Vec<(usize, f32)> {
    let (mut line, mut x) = (0, 0.0);
    let place = |(_, name): &(Color, String)| {
        let width = entry_width(name);
        if x > 0.0 && x + width - GAP > room {
            (line, x) = (line + 1, 0.0);
        }
        let place = (line, x);
        x += width;
        place
    };
    entries.iter().map(place).collect()
}

fn draw_legend(
    picture: &mut Picture,
    entries: &[(Color, String)],
    places: &[(usize, f32)],
    y: f32,
) {
    for ((color, name), (line, x)) in entries.iter().zip(places) {
        let [x, y] = [GAP + x, y + LINE * *line as f32];
        picture.shapes.push(Shape::Area {
            at: [x, y],
            size: [SQUARE; 2],
            color: *color,
        });
        let at = [x + SQUARE + 6.0, y + SQUARE - 2.0];
        picture.text(at, name, TEXT, Anchor::Start, Color::BLACK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Labelling, Pixels};

    fn samples(count: usize) -> Samples {
        let pixels = Pixels::U8(vec![51; count * 2]);
        let labels = [0, 1].repeat(count);
        Samples::labelled([1, 1, 2], pixels, Labelling::Pixels, labels).unwrap()
    }

    #[test]
    fn an_image_stands_beside_its_maps() {
        let names = ["ground".to_string(), "digit".to_string()];
        let picture = maps(&samples(1), &[1, 1], &names);
        let shown = picture.shapes.iter().map(|shape| match shape {
            Shape::Text { text, .. } => text.clone(),
            Shape::Raster { colors, at, .. } => format!("{at:?} {colors:?}"),
            Shape::Area { at, color, .. } => format!("{at:?} {color:?}"),
            other => format!("{other:?}"),
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
        image
        true
        predicted
        [20.0, 71.5] [Color([51, 51, 51]), Color([51, 51, 51])]
        [190.0, 71.5] [Color([34, 34, 34]), Color([230, 159, 0])]
        [360.0, 71.5] [Color([230, 159, 0]), Color([230, 159, 0])]
        50.0 % of pixels right
        [20.0, 218.0] Color([34, 34, 34])
        ground
        [97.434784, 218.0] Color([230, 159, 0])
        digit
        "#);
    }

    #[test]
    fn six_are_enough_and_none_is_no_fault() {
        let rasters = |picture: &Picture| {
            let shapes = picture.shapes.iter();
            shapes.filter(|s| matches!(s, Shape::Raster { .. })).count()
        };
        assert_eq!(rasters(&maps(&samples(9), &[7; 18], &[])), 18);
        assert_eq!(rasters(&maps(&samples(9), &[], &[])), 0);
    }

    #[test]
    fn colors_of_many_classes_differ() {
        let mut colors: Vec<[u8; 3]> = (0..29).map(|class| raster::class_color(class).0).collect();
        colors.sort_unstable();
        colors.dedup();
        assert_eq!(colors.len(), 29);
    }

    #[test]
    fn long_legends_are_broken() {
        let entries: Vec<(Color, String)> = (0..20)
            .map(|i| (Color::RED, format!("class {i}")))
            .collect();
        let places = places(&entries, 300.0);
        assert!(places.last().unwrap().0 > 3);
        let fits = |((_, x), (_, name)): (&(usize, f32), &(Color, String))| {
            x + entry_width(name) - GAP <= 300.0
        };
        assert!(places.iter().zip(&entries).all(fits));
    }
}
