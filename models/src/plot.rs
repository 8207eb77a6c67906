//! Pictures of learning: curves of figures over epochs, and what a network says of images. As SVG and as PNG.
//!
//! A plot is a [`Picture`], a list of shapes; two renderers know nothing of what it shows. Text in a PNG is drawn with a stroke font of our
//! own, since fonts are not to be found on every machine; an SVG leaves text to whoever shows it.
//!
//! Deliberately absent: a plotting library. These are the few plots that training wants.

mod axis;
mod curves;
mod glyphs;
mod maps;
mod picture;
mod png;
mod predictions;
mod raster;
mod svg;

pub use curves::curves;
pub use maps::maps;
pub use picture::{Anchor, Color, Picture, Shape};
pub use png::PngError;
pub use predictions::{Prediction, predictions};
