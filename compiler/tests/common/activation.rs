//! Activations of small integers, for plans that run in the tile interpreter.

use cnnc::kernel::placement::Placement;
use cnnc::kernel::tile::{ELEMENT, Target};

pub const TARGETS: [Target; 3] = [Target::Avx512, Target::Avx2, Target::Clif128 { fma: false }];

/// Element `index` of test data: integers of -8 to 7 without a short period.
pub fn integer(seed: usize, index: usize) -> f32 {
    let hash = (index + 31 * seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    hash as f32 - 8.0
}

/// An activation in memory.
pub struct Tensor {
    pub placement: Placement,
    pub shape: [usize; 4],
    start: usize,
    pub data: Vec<f32>,
}

impl Tensor {
    /// Memory with a zero halo, NaN in the padding lanes and `element(index)` inside.
    pub fn new(placement: Placement, shape: [usize; 4], element: impl Fn(usize) -> f32) -> Tensor {
        let [n, c, h, w] = shape;
        let [image, block, row, pixel] = placement.strides;
        let [top, left, _, _] = placement.halo.map(|pixels| pixels as i64);
        let start = (top * row + left * pixel) as usize;
        let mut tensor = Tensor {
            placement,
            shape,
            start,
            data: vec![0.0; (image * n as i64) as usize],
        };
        for (b, channel, y, x) in every([n, c.next_multiple_of(placement.block), h, w]) {
            let at = b as i64 * image
                + (channel / placement.block) as i64 * block
                + y as i64 * row
                + x as i64 * pixel;
            let value = if channel < c {
                element(((b * c + channel) * h + y) * w + x)
            } else {
                f32::NAN
            };
            tensor.data[start + at as usize + channel % placement.block] = value;
        }
        tensor
    }

    pub fn at(&self, n: usize, c: usize, y: usize, x: usize) -> f32 {
        let [image, row, pixel] = self.placement.image_row_pixel();
        let offset =
            n as i64 * image + self.placement.channel(c) + y as i64 * row + x as i64 * pixel;
        self.data[self.start + (offset / ELEMENT) as usize]
    }

    pub fn start(&self) -> i64 {
        self.start as i64 * ELEMENT
    }
}

pub fn every([n, c, h, w]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..n * c * h * w).map(move |i| (i / w / h / c, i / w / h % c, i / w % h, i % w))
}
