//! A picture as a PNG file, drawn by tiny-skia with smooth edges.

use super::glyphs;
use super::picture::{Anchor, Color, Picture, Shape};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

/// Why a picture was not drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    #[error("a picture of {width} by {height} pixels cannot be drawn")]
    Size { width: u32, height: u32 },
    #[error("{0}")]
    Encoding(#[from] image::ImageError),
}

impl Picture {
    /// The bytes of a `.png` file, `scale` pixels for each of the picture's.
    pub fn to_png(&self, scale: u32) -> Result<Vec<u8>, PngError> {
        let wrong = || PngError::Size {
            width: self.width,
            height: self.height,
        };
        let width = self.width.checked_mul(scale).ok_or_else(wrong)?;
        let height = self.height.checked_mul(scale).ok_or_else(wrong)?;
        let mut canvas = Canvas {
            pixels: Pixmap::new(width, height).ok_or_else(wrong)?,
            transform: Transform::from_scale(scale as f32, scale as f32),
        };
        canvas.pixels.fill(tiny_skia::Color::WHITE);
        for shape in &self.shapes {
            canvas.draw(shape);
        }
        // Everything is opaque, so premultiplied colours are the colours.
        let rgb: Vec<u8> = canvas
            .pixels
            .data()
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        let mut file = Vec::new();
        PngEncoder::new(&mut file).write_image(&rgb, width, height, ExtendedColorType::Rgb8)?;
        Ok(file)
    }
}

struct Canvas {
    pixels: Pixmap,
    transform: Transform,
}

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Area { at, size, color } => self.rectangle(*at, *size, *color, true),
            Shape::Line {
                points,
                width,
                color,
            } => match points[..] {
                [[x, y]] => {
                    if let Some(dot) = PathBuilder::from_circle(x, y, *width) {
                        self.fill(&dot, *color);
                    }
                }
                _ => self.stroke(polyline(points), *width, *color),
            },
            Shape::Text {
                at: [x, y],
                text,
                size,
                anchor,
                color,
            } => {
                let width = glyphs::width(text, *size);
                let x = match anchor {
                    Anchor::Start => *x,
                    Anchor::Middle => x - width / 2.0,
                    Anchor::End => x - width,
                };
                let weight = glyphs::weight(*size);
                let drawing = glyphs::lay_out(text, [x, *y], *size);
                self.stroke(drawing.strokes, weight, *color);
                if let Some(dots) = drawing.dots {
                    self.fill(&dots, *color);
                }
            }
            Shape::Raster {
                at: [x, y],
                cell,
                columns,
                colors,
            } => {
                for (i, color) in colors.iter().enumerate() {
                    let (row, column) = (i / (*columns).max(1), i % (*columns).max(1));
                    let at = [x + column as f32 * cell, y + row as f32 * cell];
                    self.rectangle(at, [*cell; 2], *color, false);
                }
            }
        }
    }

    fn rectangle(
        &mut self,
        [x, y]: [f32; 2],
        [width, height]: [f32; 2],
        color: Color,
        is_smooth: bool,
    ) {
        if let Some(area) = Rect::from_xywh(x, y, width, height) {
            let mut paint = paint(color);
            // Neighbouring cells with smooth edges would let the ground through.
            paint.anti_alias = is_smooth;
            self.pixels.fill_rect(area, &paint, self.transform, None);
        }
    }

    fn fill(&mut self, path: &Path, color: Color) {
        self.pixels
            .fill_path(path, &paint(color), FillRule::Winding, self.transform, None);
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, color: Color) {
        let Some(path) = path else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixels
            .stroke_path(&path, &paint(color), &stroke, self.transform, None);
    }
}

fn paint(Color([r, g, b]): Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 0xff);
    paint
}

fn polyline(points: &[[f32; 2]]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &[x, y]) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The drawing at these points, one pixel for each of the picture's.
    fn pixels(shape: Shape, points: &[[u32; 2]]) -> Vec<[u8; 3]> {
        let mut picture = Picture::new(20, 10);
        picture.shapes.push(shape);
        let file = picture.to_png(1).unwrap();
        let image = image::load_from_memory(&file).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (20, 10));
        points
            .iter()
            .map(|&[x, y]| image.get_pixel(x, y).0)
            .collect()
    }

    #[test]
    fn shapes_are_where_they_should_be() {
        let (red, white) = (Color::RED.0, Color::WHITE.0);
        let area = Shape::Area {
            at: [2.0, 2.0],
            size: [4.0, 4.0],
            color: Color::RED,
        };
        assert_eq!(
            pixels(area, &[[1, 1], [2, 2], [5, 5], [6, 6]]),
            [white, red, red, white]
        );
        let line = Shape::Line {
            points: vec![[0.0, 5.0], [20.0, 5.0]],
            width: 2.0,
            color: Color::RED,
        };
        assert_eq!(
            pixels(line, &[[10, 3], [10, 4], [10, 5], [10, 6]]),
            [white, red, red, white]
        );
        let raster = Shape::Raster {
            at: [0.0, 0.0],
            cell: 5.0,
            columns: 2,
            colors: vec![Color::RED, Color::WHITE, Color::WHITE, Color::RED],
        };
        assert_eq!(
            pixels(raster, &[[4, 4], [5, 4], [4, 5], [9, 9]]),
            [red, white, white, red]
        );
    }

    #[test]
    fn text_leaves_ink() {
        let text = |anchor, at| Shape::Text {
            at,
            text: "l".to_string(),
            size: 10.0,
            anchor,
            color: Color::RED,
        };
        let is_inked = |shape: Shape, columns: std::ops::Range<u32>| {
            let points: Vec<[u32; 2]> =
                columns.flat_map(|x| (0..10).map(move |y| [x, y])).collect();
            pixels(shape, &points).iter().any(|p| *p != Color::WHITE.0)
        };
        assert!(is_inked(text(Anchor::Start, [10.0, 9.0]), 10..15));
        assert!(is_inked(text(Anchor::End, [10.0, 9.0]), 5..10));
    }

    #[test]
    fn a_picture_without_end_is_refused() {
        let said = Picture::new(u32::MAX, 2).to_png(2).unwrap_err();
        insta::assert_snapshot!(said, @"a picture of 4294967295 by 2 pixels cannot be drawn");
    }
}
