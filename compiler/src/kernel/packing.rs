//! Packed weights: the order in which tiles read them, as an invertible map of indices.
//!
//! A packed tensor is a sequence of channel blocks; a block is a matrix of reduction rows x channels, so that one
//! row is what one tap multiplies. Rows are padded with zeros to whole vectors.

use super::reduction::{self, Segment};
use super::tile::ELEMENT;
use std::collections::HashMap;

/// Where each packed weight comes from. Indices count f32 elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    segments: Vec<Segment>,
    /// Source index of each reduction row, for channel 0.
    rows: Vec<usize>,
    /// Source distance from one channel to the next.
    channel_stride: usize,
    blocks: Vec<Block>,
    /// Position behind the last block.
    width: usize,
}

/// Channels packed side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub first_channel: usize,
    /// Source index of the first channel's filter.
    filter: usize,
    pub channels: usize,
    /// Row length, at least `channels`.
    pub width: usize,
    /// The sum of the widths before this block: its position in the bias, and a row's share of its position in the weights.
    start: usize,
}

/// A copy of elements from strided places to strided places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockCopy {
    /// The first element's positions.
    pub source: usize,
    pub target: usize,
    /// Outermost first.
    pub axes: Vec<CopyAxis>,
}

/// One dimension of a copy; steps in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyAxis {
    pub count: usize,
    pub source: usize,
    pub target: usize,
}

/// How many blocks at the beginning differ only in where they lie, at even distances in the source.
fn alike(blocks: &[Block]) -> usize {
    let distance = |pair: &[Block]| pair[1].filter.wrapping_sub(pair[0].filter);
    let even = |pair: &[Block]| {
        (pair[1].channels, pair[1].width) == (pair[0].channels, pair[0].width)
            && pair[1].filter >= pair[0].filter
            && distance(pair) == distance(blocks)
    };
    1 + blocks.windows(2).take_while(|pair| even(pair)).count()
}

impl Packing {
    /// A packing without blocks, of filters whose reduction is in segments.
    pub fn new(segments: &[Segment], channel_stride: usize) -> Self {
        Packing {
            segments: segments.to_vec(),
            rows: reduction::rows(segments),
            channel_stride,
            blocks: Vec::new(),
            width: 0,
        }
    }

    /// Appends a block of channels, the first of whose filters starts at the source index `filter`, and returns its byte
    /// offsets `(weights, bias)`.
    pub fn push(
        &mut self,
        first_channel: usize,
        filter: usize,
        channels: usize,
        width: usize,
    ) -> (i64, i64) {
        let start = self.width;
        self.blocks.push(Block {
            first_channel,
            filter,
            channels,
            width,
            start,
        });
        self.width += width;
        let bias = start as i64 * ELEMENT;
        (bias * self.rows.len() as i64, bias)
    }

    /// The blocks in their order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Elements of the packed weights.
    pub fn len(&self) -> usize {
        self.width * self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of the packed bias.
    pub fn bias_len(&self) -> usize {
        self.width
    }

    /// The source index of a packed weight; `None` for padding.
    pub fn source(&self, position: usize) -> Option<usize> {
        let block = self.block(position / self.rows.len().max(1))?;
        let within = position - block.start * self.rows.len();
        let lane = within % block.width;
        (lane < block.channels)
            .then(|| block.filter + lane * self.channel_stride + self.rows[within / block.width])
    }

    /// The channel whose bias lies at a packed position; `None` for padding.
    pub fn bias_source(&self, position: usize) -> Option<usize> {
        let block = self.block(position)?;
        let lane = position - block.start;
        (lane < block.channels).then_some(block.first_channel + lane)
    }

    /// The block whose bias covers `position`.
    fn block(&self, position: usize) -> Option<&Block> {
        let index = self
            .blocks
            .partition_point(|block| block.start + block.width <= position);
        self.blocks.get(index)
    }

    /// Weights in packed order; `None` if the source is too short.
    pub fn pack<T: Copy + Default>(&self, weights: &[T]) -> Option<Vec<T>> {
        let mut packed = Vec::with_capacity(self.len());
        for block in &self.blocks {
            for &row in &self.rows {
                for lane in 0..block.width {
                    packed.push(if lane < block.channels {
                        *weights.get(block.filter + lane * self.channel_stride + row)?
                    } else {
                        T::default()
                    });
                }
            }
        }
        Some(packed)
    }

    /// The packing as copies of strided blocks, for weights that are known at run time only. Lanes behind the last channel of a
    /// block are left as they are.
    pub fn copies(&self) -> Vec<BlockCopy> {
        let mut copies = Vec::new();
        let mut rest = &self.blocks[..];
        while let Some(first) = rest.first() {
            let count = alike(rest);
            let (run, behind) = rest.split_at(count);
            let step = |of: fn(&Block) -> usize| match run {
                [a, b, ..] => [a, b].map(of),
                _ => [0, 0],
            };
            let [from, next] = step(|block| block.filter);
            let mut row = 0;
            for segment in &self.segments {
                let mut axes = vec![CopyAxis {
                    count: first.channels,
                    source: self.channel_stride,
                    target: 1,
                }];
                let mut target = first.width;
                for axis in &segment.axes {
                    axes.push(CopyAxis {
                        count: axis.count,
                        source: axis.filter,
                        target,
                    });
                    target *= axis.count;
                }
                axes.push(CopyAxis {
                    count,
                    source: next - from,
                    target: first.width * self.rows.len(),
                });
                copies.push(BlockCopy {
                    source: first.filter + segment.filter,
                    target: first.start * self.rows.len() + row * first.width,
                    axes: axes.into_iter().rev().collect(),
                });
                row += segment.elements();
            }
            rest = behind;
        }
        copies
    }

    /// The inverse of [`Packing::pack`], into a source of `len` elements; `None` if either is too short.
    pub fn unpack<T: Copy + Default>(&self, packed: &[T], len: usize) -> Option<Vec<T>> {
        let mut weights = vec![T::default(); len];
        for position in 0..self.len() {
            if let Some(source) = self.source(position) {
                *weights.get_mut(source)? = *packed.get(position)?;
            }
        }
        Some(weights)
    }

    /// A bias, one element per channel, in packed order; `None` if it is too short.
    pub fn pack_bias<T: Copy + Default>(&self, bias: &[T]) -> Option<Vec<T>> {
        let element = |position| match self.bias_source(position) {
            Some(channel) => bias.get(channel).copied(),
            None => Some(T::default()),
        };
        (0..self.bias_len()).map(element).collect()
    }

    /// Whether every source index below `len` is packed exactly once.
    pub fn is_permutation_of(&self, len: usize) -> bool {
        let mut seen = HashMap::new();
        for source in (0..self.len()).filter_map(|position| self.source(position)) {
            *seen.entry(source).or_insert(0) += 1;
        }
        seen.len() == len
            && seen
                .iter()
                .all(|(&source, &count)| source < len && count == 1)
    }
}
