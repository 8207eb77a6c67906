//! Where an activation lies in memory, as kernels see it.

use super::tile::ELEMENT;
use std::ops::Range;

/// Where an activation `[N, C, H, W]` lies, relative to its first element (of a plane with a halo: the first interior
/// element).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Channels stored side by side: 16 for NCHW16c, 1 for NCHW.
    pub block: usize,
    /// Elements from one image, one channel block, one row, one pixel to the next.
    pub strides: [i64; 4],
    /// Pixels of zeros around every plane that may be read: top, left, bottom, right.
    pub halo: [usize; 4],
}

impl Placement {
    /// A dense activation of `channels` planes of `height` x `width`, in blocks of `block`, with a halo.
    pub fn dense(
        block: usize,
        channels: usize,
        [height, width]: [usize; 2],
        halo: [usize; 4],
    ) -> Self {
        let row = ((width + halo[1] + halo[3]) * block) as i64;
        let plane = row * (height + halo[0] + halo[2]) as i64;
        let strides = [
            plane * channels.div_ceil(block) as i64,
            plane,
            row,
            block as i64,
        ];
        Placement {
            block,
            strides,
            halo,
        }
    }

    /// The byte offset of a channel of the first pixel.
    pub fn channel(&self, channel: usize) -> i64 {
        let (block, lane) = (channel / self.block, channel % self.block);
        (block as i64 * self.strides[1] + lane as i64) * ELEMENT
    }

    /// The byte strides of image, row and pixel.
    pub fn image_row_pixel(&self) -> [i64; 3] {
        [0, 2, 3].map(|axis| self.strides[axis] * ELEMENT)
    }

    /// Positions along an axis (0 rows, 1 columns) that may be read of a plane of `extent`: itself and its halo.
    pub(super) fn readable(&self, axis: usize, extent: usize) -> Range<i64> {
        -(self.halo[axis] as i64)..(extent + self.halo[axis + 2]) as i64
    }

    /// Channels from `channel` on that lie side by side in memory, at most `limit`.
    pub(super) fn run(&self, channel: usize, limit: usize) -> usize {
        if self.strides[1] == self.block as i64 {
            limit
        } else {
            limit.min(self.block - channel % self.block)
        }
    }
}
