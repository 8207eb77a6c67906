//! A picture as SVG 1.1 text.

use super::picture::{Anchor, Color, Picture, Shape};
use std::fmt::Write;

impl Picture {
    /// The picture as the text of an `.svg` file.
    pub fn to_svg(&self) -> String {
        let Picture {
            width,
            height,
            shapes,
        } = self;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"Helvetica, Arial, sans-serif\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        for shape in shapes {
            svg.push_str(&element(shape));
            svg.push('\n');
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Area { at, size, color } => rectangle(*at, *size, *color),
        Shape::Line {
            points,
            width,
            color,
        } => match points[..] {
            [[x, y]] => format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{width}\" fill=\"{}\"/>",
                hex(*color)
            ),
            _ => {
                let points: Vec<String> = points
                    .iter()
                    .map(|[x, y]| format!("{},{}", short(*x), short(*y)))
                    .collect();
                format!(
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
                    points.join(" "),
                    hex(*color)
                )
            }
        },
        Shape::Text {
            at: [x, y],
            text,
            size,
            anchor,
            color,
        } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            format!(
                "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
                short(*x),
                short(*y),
                hex(*color),
                escaped(text)
            )
        }
        Shape::Raster {
            at: [x, y],
            cell,
            columns,
            colors,
        } => {
            let mut group = String::from("<g shape-rendering=\"crispEdges\">");
            for (row, colors) in colors.chunks((*columns).max(1)).enumerate() {
                let mut column = 0;
                // Neighbours of one colour are one rectangle.
                for run in colors.chunk_by(|a, b| a == b) {
                    let at = [x + column as f32 * cell, y + row as f32 * cell];
                    group.push_str(&rectangle(at, [run.len() as f32 * cell, *cell], run[0]));
                    column += run.len();
                }
            }
            group + "</g>"
        }
    }
}

fn rectangle([x, y]: [f32; 2], [width, height]: [f32; 2], color: Color) -> String {
    let (x, y, width, height) = (short(x), short(y), short(width), short(height));
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
        hex(color)
    )
}

/// Hundredths of a pixel are enough.
fn short(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}

fn hex(Color(rgb): Color) -> String {
    rgb.iter().fold("#".to_string(), |mut hex, channel| {
        let _ = write!(hex, "{channel:02x}");
        hex
    })
}

/// Text without what XML would take for its own; control characters, which it forbids, become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_its_element() {
        let mut picture = Picture::new(20, 10);
        picture.line(vec![[0.0, 1.0], [2.5, 3.333]], 1.5, Color::BLUE);
        picture.line(vec![[4.0, 4.0]], 2.0, Color::RED);
        picture.text([1.0, 2.0], "a < b & c\u{7}", 8.0, Anchor::End, Color::BLACK);
        picture.shapes.push(Shape::Raster {
            at: [1.0, 1.0],
            cell: 2.0,
            columns: 2,
            colors: vec![Color::WHITE, Color::WHITE, Color::RED, Color::BLUE],
        });
        insta::assert_snapshot!(picture.to_svg(), @r##"
        <svg xmlns="http://www.w3.org/2000/svg" width="20" height="10" viewBox="0 0 20 10" font-family="Helvetica, Arial, sans-serif">
        <rect width="20" height="10" fill="#ffffff"/>
        <polyline points="0,1 2.5,3.33" fill="none" stroke="#0072b2" stroke-width="1.5" stroke-linejoin="round"/>
        <circle cx="4" cy="4" r="2" fill="#c62828"/>
        <text x="1" y="2" font-size="8" text-anchor="end" fill="#222222">a &lt; b &amp; c </text>
        <g shape-rendering="crispEdges"><rect x="1" y="1" width="4" height="2" fill="#ffffff"/><rect x="1" y="3" width="2" height="2" fill="#c62828"/><rect x="3" y="3" width="2" height="2" fill="#0072b2"/></g>
        </svg>
        "##);
    }
}
