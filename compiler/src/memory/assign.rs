//! Buffers to offsets: best fit in order of time, or largest first, whichever ends lower.

use std::collections::{BTreeMap, HashMap};

/// Times (inclusive) between which a buffer holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub first: u32,
    pub last: u32,
}

impl Interval {
    fn overlaps(self, other: Interval) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Which buffers may share memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// With every other general buffer.
    General,
    /// Only with buffers of this geometry and this frame, whose zeros must survive.
    Halo { geometry: [u64; 5], halo: [u16; 4] },
}

/// A piece of memory to be placed; sizes are multiples of the alignment.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub size: u64,
    pub live: Interval,
    pub class: Class,
}

pub struct Offsets {
    pub offsets: Vec<u64>,
    pub bytes: u64,
}

/// Above this many buffers the quadratic largest-first placement is not tried.
const QUADRATIC_LIMIT: usize = 3000;

/// Places all buffers: general ones share one region, each halo geometry has a region of its own behind it.
pub fn assign(buffers: &[Buffer]) -> Offsets {
    let mut classes: Vec<&Class> = vec![&Class::General];
    let mut members: HashMap<&Class, Vec<usize>> = HashMap::new();
    for (i, b) in buffers.iter().enumerate() {
        if !classes.contains(&&b.class) {
            classes.push(&b.class);
        }
        members.entry(&b.class).or_default().push(i);
    }
    let mut offsets = vec![0; buffers.len()];
    let mut base = 0;
    for class in classes {
        let Some(members) = members.get(class) else {
            continue;
        };
        let group: Vec<&Buffer> = members.iter().map(|&i| &buffers[i]).collect();
        let by_time = best_fit(&group);
        let placed = if group.len() <= QUADRATIC_LIMIT {
            let by_size = largest_first(&group);
            if by_size.bytes < by_time.bytes {
                by_size
            } else {
                by_time
            }
        } else {
            by_time
        };
        for (&i, offset) in members.iter().zip(placed.offsets) {
            offsets[i] = base + offset;
        }
        base += placed.bytes;
    }
    Offsets {
        offsets,
        bytes: base,
    }
}

/// Walks through time with a list of free gaps; each buffer takes the smallest gap that holds it.
fn best_fit(buffers: &[&Buffer]) -> Offsets {
    let mut starts: Vec<usize> = (0..buffers.len()).collect();
    starts.sort_by_key(|&i| (buffers[i].live.first, std::cmp::Reverse(buffers[i].size), i));
    let mut ends: BTreeMap<(u32, usize), ()> = BTreeMap::new();
    let mut gaps: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut offsets, mut top) = (vec![0; buffers.len()], 0);
    for i in starts {
        let b = buffers[i];
        while let Some((&(last, dead), ())) = ends.first_key_value() {
            if last >= b.live.first {
                break;
            }
            ends.pop_first();
            release(&mut gaps, offsets[dead], buffers[dead].size);
        }
        let best = gaps
            .iter()
            .filter(|(_, size)| **size >= b.size)
            .min_by_key(|(offset, size)| (**size, **offset));
        offsets[i] = match best.map(|(&o, &s)| (o, s)) {
            Some((offset, size)) => {
                gaps.remove(&offset);
                if size > b.size {
                    gaps.insert(offset + b.size, size - b.size);
                }
                offset
            }
            None => {
                // The last gap, if it ends at the top, is extended.
                let start = match gaps.last_key_value().map(|(&o, &s)| (o, s)) {
                    Some((o, s)) if o + s == top => {
                        gaps.remove(&o);
                        o
                    }
                    _ => top,
                };
                top = start + b.size;
                start
            }
        };
        ends.insert((b.live.last, i), ());
    }
    Offsets {
        offsets,
        bytes: top,
    }
}

fn release(gaps: &mut BTreeMap<u64, u64>, mut offset: u64, mut size: u64) {
    if size == 0 {
        return;
    }
    if let Some((&o, &s)) = gaps
        .range(..offset)
        .next_back()
        .filter(|(o, s)| **o + **s == offset)
    {
        gaps.remove(&o);
        (offset, size) = (o, s + size);
    }
    if let Some(s) = gaps.remove(&(offset + size)) {
        size += s;
    }
    gaps.insert(offset, size);
}

/// Largest buffers first, each at the lowest offset free over its whole life.
fn largest_first(buffers: &[&Buffer]) -> Offsets {
    let mut by_size: Vec<usize> = (0..buffers.len()).collect();
    by_size.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].size), buffers[i].live.first, i));
    let mut placed: Vec<usize> = Vec::new();
    let (mut offsets, mut bytes) = (vec![0; buffers.len()], 0);
    for i in by_size {
        let b = buffers[i];
        let mut taken: Vec<(u64, u64)> = placed
            .iter()
            .filter(|&&p| buffers[p].live.overlaps(b.live))
            .map(|&p| (offsets[p], offsets[p] + buffers[p].size))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + b.size <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[i] = offset;
        bytes = bytes.max(offset + b.size);
        placed.push(i);
    }
    Offsets { offsets, bytes }
}

/// The largest sum of sizes of buffers alive at one time.
pub fn lower_bound(buffers: &[Buffer]) -> u64 {
    let mut events: Vec<(u32, i8, u64)> = Vec::new();
    for b in buffers {
        events.push((b.live.first, 0, b.size));
        events.push((b.live.last.saturating_add(1), -1, b.size));
    }
    events.sort_unstable();
    let (mut live, mut most) = (0u64, 0);
    for (_, kind, size) in events {
        if kind == 0 {
            live += size
        } else {
            live -= size
        }
        most = most.max(live);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_on_other_sides_share_no_memory() {
        let frame = |time, halo| Buffer {
            size: 64,
            live: Interval {
                first: time,
                last: time,
            },
            class: Class::Halo {
                geometry: [1, 1, 4, 4, 16],
                halo,
            },
        };
        let (above, below) = ([1, 1, 0, 0], [0, 0, 1, 1]);
        let placed = assign(&[frame(0, above), frame(1, below), frame(2, above)]);
        assert_eq!(placed.offsets, [0, 64, 0]);
    }

    proptest! {
        #[test]
        fn no_two_live_buffers_overlap(raw in prop::collection::vec((1u64..40, 0u32..60, 0u32..20, 0u64..3), 1..120)) {
            let buffers: Vec<Buffer> = raw
                .into_iter()
                .map(|(size, first, length, class)| Buffer {
                    size: size * 64,
                    live: Interval { first, last: first + length },
                    class: if class == 0 { Class::Halo { geometry: [1, 1, size, 1, 16], halo: [0, 0, 1, 0] } } else { Class::General },
                })
                .collect();
            let placed = assign(&buffers);
            prop_assert!(placed.bytes >= lower_bound(&buffers));
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(placed.offsets[i] + a.size <= placed.bytes);
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let disjoint = placed.offsets[i] + a.size <= placed.offsets[j] || placed.offsets[j] + b.size <= placed.offsets[i];
                    prop_assert!(disjoint || (!a.live.overlaps(b.live) && (a.class == b.class)));
                }
            }
        }
    }
}
