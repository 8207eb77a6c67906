//! Vectors of which only some lanes are in memory.

use super::{Clip, Column, Lanes, Tile};

/// The lanes `first..end` of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mask {
    pub first: u8,
    pub end: u8,
}

impl Mask {
    /// One bit a lane.
    pub fn bits(self) -> u32 {
        ((1 << self.end) - 1) & !((1 << self.first) - 1)
    }
}

/// The part of a vector in memory that is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub lanes: Lanes,
    pub mask: Mask,
}

impl Span {
    /// Whether some lanes are left out.
    pub fn is_partial(self) -> bool {
        self.mask.first > 0 || usize::from(self.mask.end) < self.lanes.count()
    }
}

impl Lanes {
    /// The whole vector.
    pub(super) fn span(self) -> Span {
        Span {
            lanes: self,
            mask: Mask {
                first: 0,
                end: self.count() as u8,
            },
        }
    }
}

impl Column {
    /// The lanes that exist.
    pub(super) fn span(&self) -> Span {
        Span {
            lanes: self.lanes,
            mask: Mask {
                first: 0,
                end: self.valid,
            },
        }
    }
}

impl Tile {
    /// What a tap reads of each column's weights; `None` where the clip leaves nothing.
    pub(super) fn clipped(&self, clip: Clip) -> Vec<Option<Span>> {
        let lanes: i32 = self
            .columns
            .iter()
            .map(|column| i32::from(column.valid))
            .sum();
        let (low, high) = (i32::from(clip.head), lanes - i32::from(clip.tail));
        let mut start = 0;
        let span = |column: &Column| {
            let valid = i32::from(column.valid);
            let (first, end) = ((low - start).max(0), (high - start).min(valid));
            start += valid;
            let mask = Mask {
                first: first as u8,
                end: end as u8,
            };
            (first < end).then_some(Span {
                lanes: column.lanes,
                mask,
            })
        };
        self.columns.iter().map(span).collect()
    }

    /// The distinct masks of partial vectors, of columns first, then of taps.
    pub(super) fn masks(&self) -> Vec<Mask> {
        let mut masks = Vec::new();
        let mut clips = Vec::new();
        let taps = self.reduction.iter().flat_map(|nest| &nest.taps);
        for clip in std::iter::once(Clip::NONE).chain(taps.map(|tap| tap.clip)) {
            if clips.contains(&clip) {
                continue;
            }
            clips.push(clip);
            for span in self
                .clipped(clip)
                .into_iter()
                .flatten()
                .filter(|span| span.is_partial())
            {
                if !masks.contains(&span.mask) {
                    masks.push(span.mask);
                }
            }
        }
        masks
    }
}
