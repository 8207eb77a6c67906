//! Curves: each figure of a run over its epochs, training and validation in one panel.

use super::axis::Axis;
use super::picture::{Anchor, Color, Picture, Shape};
use crate::history::History;

/// What the columns of validation begin with.
const VALIDATION: &str = "val_";
/// Columns that may be the x axis.
const X: [&str; 2] = ["epoch", "iteration"];
/// Other columns that are no figures.
const NO_FIGURES: [&str; 2] = ["seconds", "lr"];

const PANEL: [f32; 2] = [440.0, 320.0];
/// From a panel's edges to its frame: left, top, right, bottom.
const MARGIN: [f32; 4] = [62.0, 40.0, 16.0, 46.0];
const SMALL: f32 = 12.0;
const LARGE: f32 = 15.0;

/// A curve of a panel.
struct Curve {
    name: &'static str,
    color: Color,
    values: Vec<f64>,
}

/// Draws a panel for each figure of a history, side by side: a column `loss` with the column `val_loss`, and so on. The x axis is the column
/// `epoch` or `iteration`, else the number of the row. Values that are not finite leave gaps.
pub fn curves(history: &History) -> Picture {
    let mut figures: Vec<&str> = Vec::new();
    for name in history.columns() {
        let figure = name.strip_prefix(VALIDATION).unwrap_or(name);
        let is_figure = ![&X[..], &NO_FIGURES].concat().contains(&figure);
        if is_figure && !figures.contains(&figure) {
            figures.push(figure);
        }
    }
    let own = X.into_iter().find_map(|x| Some((x, history.column(x)?)));
    let (x_name, epochs) =
        own.unwrap_or_else(|| (X[0], (1..=history.rows().len()).map(|i| i as f64).collect()));
    let mut picture = Picture::new(
        (PANEL[0] * figures.len().max(1) as f32) as u32,
        PANEL[1] as u32,
    );
    for (i, figure) in figures.into_iter().enumerate() {
        let column = |name: &'static str, color, column: &str| {
            let values = history.column(column)?;
            Some(Curve {
                name,
                color,
                values,
            })
        };
        let curves = [
            column("training", Color::BLUE, figure),
            column(
                "validation",
                Color::ORANGE,
                &format!("{VALIDATION}{figure}"),
            ),
        ];
        let curves: Vec<Curve> = curves.into_iter().flatten().collect();
        Panel::new(i as f32 * PANEL[0], &epochs, &curves).draw(
            &mut picture,
            [figure, x_name],
            &epochs,
            &curves,
        );
    }
    picture
}

/// A frame with two axes.
struct Panel {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    x: Axis,
    y: Axis,
}

impl Panel {
    fn new(offset: f32, epochs: &[f64], curves: &[Curve]) -> Panel {
        let [left, top, right, bottom] = MARGIN;
        let (left, right) = (offset + left, offset + PANEL[0] - right);
        let (top, bottom) = (top, PANEL[1] - bottom);
        let values = curves.iter().flat_map(|c| c.values.iter().copied());
        Panel {
            left,
            right,
            top,
            bottom,
            x: Axis::around(epochs.iter().copied(), [left, right]).widened(0.03),
            y: Axis::around(values, [bottom, top]).widened(0.06),
        }
    }

    fn draw(
        &self,
        picture: &mut Picture,
        [title, x_name]: [&str; 2],
        epochs: &[f64],
        curves: &[Curve],
    ) {
        self.draw_axes(picture, title, x_name);
        for curve in curves {
            self.draw_curve(picture, epochs, curve);
        }
        // One curve is what the title says.
        if curves.len() > 1 {
            self.draw_legend(picture, curves);
        }
    }

    fn draw_axes(&self, picture: &mut Picture, title: &str, x_name: &str) {
        let middle = (self.left + self.right) / 2.0;
        picture.text(
            [self.left, self.top - 8.0],
            title,
            LARGE,
            Anchor::Start,
            Color::BLACK,
        );
        for tick in self.y.ticks(6, 0.0) {
            let y = self.y.pixel(tick.value);
            picture.line(vec![[self.left, y], [self.right, y]], 1.0, Color::PALE);
            picture.text(
                [self.left - 8.0, y + 4.0],
                tick.label,
                SMALL,
                Anchor::End,
                Color::GRAY,
            );
        }
        for tick in self.x.ticks(9, 1.0) {
            let x = self.x.pixel(tick.value);
            picture.line(
                vec![[x, self.bottom], [x, self.bottom + 4.0]],
                1.0,
                Color::GRAY,
            );
            picture.text(
                [x, self.bottom + 18.0],
                tick.label,
                SMALL,
                Anchor::Middle,
                Color::GRAY,
            );
        }
        let corners = [
            [self.left, self.top],
            [self.left, self.bottom],
            [self.right, self.bottom],
        ];
        picture.line(corners.to_vec(), 1.0, Color::GRAY);
        picture.text(
            [middle, self.bottom + 37.0],
            x_name,
            SMALL,
            Anchor::Middle,
            Color::GRAY,
        );
    }

    fn draw_curve(&self, picture: &mut Picture, epochs: &[f64], curve: &Curve) {
        let points: Vec<(f64, f64)> = epochs
            .iter()
            .copied()
            .zip(curve.values.iter().copied())
            .collect();
        let is_shown = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        for run in points
            .chunk_by(|a, b| is_shown(a) && is_shown(b))
            .filter(|run| is_shown(&run[0]))
        {
            let run = run
                .iter()
                .map(|(x, y)| [self.x.pixel(*x), self.y.pixel(*y)]);
            picture.line(run.collect(), 2.0, curve.color);
        }
    }

    /// Above the frame's right end, where no curve is.
    fn draw_legend(&self, picture: &mut Picture, curves: &[Curve]) {
        let (width, y) = (88.0, self.top - 10.0);
        let mut x = self.right - width * curves.len() as f32;
        for curve in curves {
            picture.shapes.push(Shape::Area {
                at: [x, y - 2.0],
                size: [16.0, 3.0],
                color: curve.color,
            });
            picture.text(
                [x + 21.0, y + 3.0],
                curve.name,
                SMALL,
                Anchor::Start,
                Color::BLACK,
            );
            x += width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(picture: &Picture) -> String {
        let text = |shape: &Shape| match shape {
            Shape::Text { text, .. } => Some(text.clone()),
            _ => None,
        };
        picture
            .shapes
            .iter()
            .filter_map(text)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn lines(picture: &Picture, wanted: Color) -> Vec<usize> {
        let line = |shape: &Shape| match shape {
            Shape::Line { points, color, .. } if *color == wanted => Some(points.len()),
            _ => None,
        };
        picture.shapes.iter().filter_map(line).collect()
    }

    #[test]
    fn every_figure_has_a_panel() {
        let mut history = History::new([
            "epoch",
            "loss",
            "accuracy",
            "val_loss",
            "val_accuracy",
            "seconds",
        ]);
        history.push(&[1.0, 0.5, 0.9, 0.4, 0.91, 20.0]);
        history.push(&[2.0, 0.3, 0.95, 0.35, 0.94, 20.0]);
        let picture = curves(&history);
        assert_eq!(picture.width, 880);
        insta::assert_snapshot!(texts(&picture), @"loss 0.30 0.35 0.40 0.45 0.50 1 2 epoch training validation accuracy 0.90 0.91 0.92 0.93 0.94 0.95 1 2 epoch training validation");
        assert_eq!(lines(&picture, Color::BLUE), [2, 2]);
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap() {
        let mut history = History::new(["loss"]);
        for loss in [1.0, 0.5, f64::NAN, 0.3, f64::INFINITY] {
            history.push(&[loss]);
        }
        assert_eq!(lines(&curves(&history), Color::BLUE), [2, 1]);
        assert!(curves(&History::new(["loss"])).to_png(1).is_ok());
        assert!(curves(&History::default()).to_png(1).is_ok());
    }
}
