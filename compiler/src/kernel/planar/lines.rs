//! Rows of the output, cut into pieces that a tile computes.

use super::Planar;
use crate::kernel::blocking::{Demand, even};
use crate::kernel::tile::{Clip, ELEMENT, Shape, Source};
use std::ops::Range;

/// Neighbouring output positions of one row (or of several that follow each other), with the same kernel rows.
#[derive(Clone)]
pub struct Line {
    pub row: usize,
    pub column: usize,
    pub len: usize,
    /// The kernel rows inside the input.
    pub rows: Range<usize>,
    /// Whether these are several rows; then no tap lies in the padding beside them.
    pub joined: bool,
}

/// What tells the tiles of pieces apart.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    pub len: usize,
    pub rows: Range<usize>,
    /// For each kernel column, the lanes that lie in the padding.
    pub clips: Vec<Clip>,
}

impl Planar<'_> {
    /// The rows of the output, joined where they follow each other in input and output alike and have no padding beside them.
    pub fn lines(&self, [height, width]: [usize; 2]) -> Vec<Line> {
        let conv = self.conv;
        let [input, output] = [&conv.input_placement, &conv.output_placement].map(|p| p.strides[2]);
        let follow = input * conv.strides[0] as i64 == width as i64 && output == width as i64;
        let line = |row: usize, len: usize, rows: &Range<usize>| Line {
            row,
            column: 0,
            len,
            rows: rows.clone(),
            joined: len > width,
        };
        let mut lines = Vec::new();
        for (ys, rows) in conv.strips(0, height) {
            let unclipped = self
                .variant(&line(ys.start, width, &rows))
                .clips
                .iter()
                .all(|&clip| clip == Clip::NONE);
            if follow && unclipped {
                lines.push(line(ys.start, ys.len() * width, &rows));
            } else {
                lines.extend(ys.map(|y| line(y, width, &rows)));
            }
        }
        lines
    }

    /// Pieces of at most `most` vectors.
    pub fn pieces(&self, line: &Line, most: usize) -> impl Iterator<Item = Line> + use<> {
        let (line, lanes) = (line.clone(), self.target.lanes().count());
        even(line.len.div_ceil(lanes), most).map(move |piece| {
            let (start, end) = (piece.start * lanes, line.len.min(piece.end * lanes));
            Line {
                column: line.column + start,
                len: end - start,
                ..line.clone()
            }
        })
    }

    /// The tile that a piece needs.
    pub fn variant(&self, piece: &Line) -> Variant {
        let conv = self.conv;
        let [_, left, _, right] = conv.input_placement.halo.map(|pixels| pixels as i64);
        let len = (piece.len as i64).min(u16::MAX.into());
        let clip = |tap: usize| {
            let first = (piece.column + tap * conv.dilations[1]) as i64 - conv.pads[1] as i64;
            let before = -left - first;
            let behind = first + len - (conv.input[1] as i64 + right);
            Clip {
                head: before.clamp(0, len) as u16,
                tail: behind.clamp(0, len) as u16,
            }
        };
        let unclipped = |_| Clip::NONE;
        let columns = 0..conv.kernel[1];
        let clips = if piece.joined {
            columns.map(unclipped).collect()
        } else {
            columns.map(clip).collect()
        };
        Variant {
            len: piece.len,
            rows: piece.rows.clone(),
            clips,
        }
    }

    /// The register block that fits beside the masks of a whole line.
    pub fn shape(&self, lines: &[Line]) -> Shape {
        let conv = self.conv;
        let masks = |line: &Line| {
            let sides = |clip: &Clip| usize::from(clip.head > 0) + usize::from(clip.tail > 0);
            self.variant(line).clips.iter().map(sides).sum::<usize>() + 1
        };
        let masks = lines.iter().map(masks).max().unwrap_or(0);
        let lanes = self.target.lanes().count();
        let demand = Demand {
            target: self.target,
            source: Source::Broadcast,
            epilogue: &conv.epilogue,
            masks,
            columns: lines
                .iter()
                .map(|line| line.len.div_ceil(lanes))
                .max()
                .unwrap_or(0),
            taps: conv.in_channels / conv.groups * conv.window_len(),
            row: 0,
            cold_weights: false,
            pixel_step: self.filter.output * ELEMENT,
        };
        let channels = conv.out_channels / conv.groups;
        demand.shapes(|most| even(channels, most).map(|block| block.len()).collect())[0]
    }
}
