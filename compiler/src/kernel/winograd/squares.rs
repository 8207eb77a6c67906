//! Cutting the output into squares, lines of squares, and strips of lines.

use super::cost::{Cut, Scheme};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::plan::PlanError;
use std::ops::Range;

/// The squares of one image.
pub struct Squares {
    output: [usize; 2],
    input: [usize; 2],
    pads: [usize; 2],
    /// Bytes from row to row and pixel to pixel, of input and output.
    steps: [[i64; 2]; 2],
    size: usize,
    patch: usize,
    cut: Cut,
}

/// Squares in a row that read and write alike.
#[derive(Clone)]
pub struct Line {
    /// The number of its first square in the strip.
    pub first: usize,
    pub count: usize,
    /// Byte offsets of the first patch and the first output, from the strip's.
    pub input: i64,
    pub output: i64,
    /// The rows and columns of its patches that lie inside the input.
    pub read: [Range<usize>; 2],
    /// The rows and columns of its squares that lie inside the output.
    pub write: [Range<usize>; 2],
}

/// A rectangle of squares.
pub struct Rectangle {
    pub lines: Vec<Line>,
    /// Byte offsets of the strip's first square.
    pub input: i64,
    pub output: i64,
}

impl Squares {
    /// Strips larger than the image are the image.
    pub fn new(conv: &ConvGeometry, scheme: Scheme) -> Result<Squares, PlanError> {
        let output = conv.output()?;
        let size = scheme.algorithm.size();
        let mut cut = scheme.cut;
        for (strip, extent) in cut.strip.iter_mut().zip(output) {
            *strip = (*strip).min(extent.div_ceil(size));
        }
        let steps = [&conv.input_placement, &conv.output_placement].map(|p| {
            let [_, row, pixel] = p.image_row_pixel();
            [row, pixel]
        });
        Ok(Squares {
            output,
            input: conv.input,
            pads: [conv.pads[0], conv.pads[1]],
            steps,
            size,
            patch: scheme.algorithm.patch(),
            cut,
        })
    }

    pub fn per_strip(&self) -> usize {
        self.cut.strip[0] * self.cut.strip[1]
    }

    fn count(&self) -> [usize; 2] {
        self.output.map(|extent| extent.div_ceil(self.size))
    }

    /// Parts of the output channels that a strip is split into.
    pub fn parts(&self) -> usize {
        self.cut.parts
    }

    pub fn strips(&self) -> Vec<Rectangle> {
        let [rows, columns] = self.count();
        let cut = |count: usize, most: usize| {
            (0..count)
                .step_by(most.max(1))
                .map(move |i| i..(i + most).min(count))
        };
        cut(rows, self.cut.strip[0])
            .flat_map(|ys| cut(columns, self.cut.strip[1]).map(move |xs| (ys.clone(), xs)))
            .map(|(ys, xs)| self.lines(ys, xs))
            .collect()
    }

    fn lines(&self, ys: Range<usize>, xs: Range<usize>) -> Rectangle {
        let origin = self.offsets(ys.start, xs.start);
        let mut lines: Vec<Line> = Vec::new();
        let mut first = 0;
        for y in ys {
            for x in xs.clone() {
                let (read, write) = (
                    [self.read(0, y), self.read(1, x)],
                    [self.write(0, y), self.write(1, x)],
                );
                let [input, output] = self.offsets(y, x);
                match lines.last_mut() {
                    Some(last) if x > xs.start && last.read == read && last.write == write => {
                        last.count += 1
                    }
                    _ => lines.push(Line {
                        first,
                        count: 1,
                        input: input - origin[0],
                        output: output - origin[1],
                        read,
                        write,
                    }),
                }
                first += 1;
            }
        }
        Rectangle {
            lines,
            input: origin[0],
            output: origin[1],
        }
    }

    /// Byte offsets of a square's patch and of its output.
    fn offsets(&self, y: usize, x: usize) -> [i64; 2] {
        let [top, left] = [y, x].map(|i| (i * self.size) as i64);
        let at = |side: usize, dy: i64, dx: i64| {
            (top - dy) * self.steps[side][0] + (left - dx) * self.steps[side][1]
        };
        [at(0, self.pads[0] as i64, self.pads[1] as i64), at(1, 0, 0)]
    }

    /// The part of a patch inside the input.
    fn read(&self, axis: usize, square: usize) -> Range<usize> {
        let start = square * self.size;
        let first = self.pads[axis].saturating_sub(start).min(self.patch);
        let end = (self.input[axis] + self.pads[axis])
            .saturating_sub(start)
            .min(self.patch);
        first..end.max(first)
    }

    /// The part of a square inside the output.
    fn write(&self, axis: usize, square: usize) -> Range<usize> {
        0..(self.output[axis] - square * self.size).min(self.size)
    }
}
