//! What a network says of the first images: each with its class and the predicted one, green where they agree and red where not.

use super::glyphs;
use super::picture::{Anchor, Color, Picture};
use super::raster;
use crate::data::Samples;

/// What a network says of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub class: usize,
    /// 0 to 1.
    pub probability: f32,
}

const COLUMNS: usize = 3;
const CELL: [f32; 2] = [190.0, 216.0];
const IMAGE: f32 = 150.0;
const TEXT: f32 = 13.0;

/// Draws the first nine samples, or as many as there are predictions, in rows of three. Classes without a name are shown by number.
pub fn predictions(samples: &Samples, said: &[Prediction], classes: &[String]) -> Picture {
    let count = samples.len().min(said.len()).min(COLUMNS * COLUMNS);
    let rows = count.div_ceil(COLUMNS).max(1);
    let mut picture = Picture::new(
        (CELL[0] * COLUMNS as f32) as u32,
        (CELL[1] * rows as f32) as u32,
    );
    let name = |class: usize| {
        classes
            .get(class)
            .cloned()
            .unwrap_or_else(|| class.to_string())
    };
    for (index, said) in said.iter().take(count).enumerate() {
        let (row, column) = (index / COLUMNS, index % COLUMNS);
        let [x, y] = [column as f32 * CELL[0], row as f32 * CELL[1]];
        let at = [x + (CELL[0] - IMAGE) / 2.0, y + 14.0];
        picture
            .shapes
            .push(raster::image(samples, index, at, IMAGE));
        let truth = samples.labels()[index] as usize;
        let color = if truth == said.class {
            Color::GREEN
        } else {
            Color::RED
        };
        let percent = (said.probability * 100.0).round();
        let lines = [
            (format!("true: {}", name(truth)), Color::BLACK),
            (
                format!("predicted: {} ({percent} %)", name(said.class)),
                color,
            ),
        ];
        for (line, (text, color)) in lines.into_iter().enumerate() {
            let at = [x + CELL[0] / 2.0, y + IMAGE + 32.0 + 18.0 * line as f32];
            // A long name is set smaller, so that it stays in its cell.
            let size = TEXT * (CELL[0] * 0.96 / glyphs::width(&text, TEXT)).min(1.0);
            picture.text(at, text, size, Anchor::Middle, color);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::super::picture::Shape;
    use super::*;
    use crate::data::Pixels;

    #[test]
    fn agreement_is_green_and_disagreement_red() {
        let samples = Samples::new([1, 1, 2], Pixels::U8(vec![0, 255, 51, 0]), vec![1, 0]).unwrap();
        let said = |class| Prediction {
            class,
            probability: 0.876,
        };
        let picture = predictions(
            &samples,
            &[said(1), said(7)],
            &["cat".to_string(), "dog".to_string()],
        );
        let shown = picture.shapes.iter().map(|shape| match shape {
            Shape::Text { text, color, .. } => format!("{text} {:?}", color.0),
            Shape::Raster { colors, .. } => {
                format!("{:?}", colors.iter().map(|c| c.0[0]).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
        [0, 255]
        true: dog [34, 34, 34]
        predicted: dog (88 %) [0, 128, 62]
        [51, 0]
        true: cat [34, 34, 34]
        predicted: 7 (88 %) [198, 40, 40]
        "#);
    }

    #[test]
    fn nothing_said_is_nothing_drawn() {
        let samples = Samples::new([3, 1, 1], Pixels::F32(vec![-4.0, 0.0, 9.0]), vec![0]).unwrap();
        assert!(predictions(&samples, &[], &[]).shapes.is_empty());
        let said = Prediction {
            class: 0,
            probability: f32::NAN,
        };
        let picture = predictions(&samples, &[said; 9], &[]);
        assert!(
            matches!(&picture.shapes[0], Shape::Raster { colors, .. } if *colors == [Color([0, 78, 255])])
        );
    }
}
