//! What is drawn, and nothing of how.

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl Color {
    pub const BLACK: Color = Color([0x22, 0x22, 0x22]);
    pub const GRAY: Color = Color([0x66, 0x66, 0x66]);
    pub const PALE: Color = Color([0xe4, 0xe4, 0xe4]);
    pub const WHITE: Color = Color([0xff, 0xff, 0xff]);
    // From the palette of Okabe and Ito (2008), which the colour-blind can tell apart.
    pub const BLUE: Color = Color([0x00, 0x72, 0xb2]);
    pub const ORANGE: Color = Color([0xd5, 0x5e, 0x00]);
    pub const GREEN: Color = Color([0x00, 0x80, 0x3e]);
    pub const RED: Color = Color([0xc6, 0x28, 0x28]);
}

/// Which end of a text its position means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Something to draw. Positions are (x, y) in pixels from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle.
    Area {
        at: [f32; 2],
        size: [f32; 2],
        color: Color,
    },
    /// A line from point to point, or a dot where there is but one.
    Line {
        points: Vec<[f32; 2]>,
        width: f32,
        color: Color,
    },
    /// A line of text with its baseline at `at`; `size` is the height of an em.
    Text {
        at: [f32; 2],
        text: String,
        size: f32,
        anchor: Anchor,
        color: Color,
    },
    /// A raster of `columns`, row by row, each cell drawn as a square of `cell` pixels.
    Raster {
        at: [f32; 2],
        cell: f32,
        columns: usize,
        colors: Vec<Color>,
    },
}

/// Shapes on a white ground, later ones above earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    pub shapes: Vec<Shape>,
}

impl Picture {
    pub fn new(width: u32, height: u32) -> Picture {
        Picture {
            width,
            height,
            shapes: Vec::new(),
        }
    }

    pub(super) fn line(&mut self, points: Vec<[f32; 2]>, width: f32, color: Color) {
        self.shapes.push(Shape::Line {
            points,
            width,
            color,
        });
    }

    pub(super) fn text(
        &mut self,
        at: [f32; 2],
        text: impl Into<String>,
        size: f32,
        anchor: Anchor,
        color: Color,
    ) {
        self.shapes.push(Shape::Text {
            at,
            text: text.into(),
            size,
            anchor,
            color,
        });
    }
}
