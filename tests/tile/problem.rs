//! Random tiles with buffers that fit them exactly.

use cnnc::kernel::tile::{
    Binary, Clip, Column, Compare, Formula, Init, Inst, Lanes, Loop, Nest, Pixel, Pool, Source,
    Step, Tap, Target, Tile,
};

/// SplitMix64: small, seeded, good enough to pick shapes.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An integer of `low..=high`.
    pub fn within(&mut self, low: i32, high: i32) -> i32 {
        low + (self.next() % (high - low + 1) as u64) as i32
    }

    pub fn one_in(&mut self, n: i32) -> bool {
        self.within(1, n) == 1
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0, choices.len() as i32 - 1) as usize]
    }

    /// `count` elements from `element`.
    pub fn elements(&mut self, count: usize, element: impl Fn(&mut Random) -> f32) -> Vec<f32> {
        (0..count).map(|_| element(self)).collect()
    }
}

/// The lowest and highest byte offset a tile touches from one of its pointers; the highest is exclusive.
#[derive(Clone, Copy)]
pub struct Extent {
    low: i64,
    high: i64,
}

impl Extent {
    const NONE: Extent = Extent { low: 0, high: 0 };

    fn include(&mut self, low: i64, high: i64) {
        (self.low, self.high) = (self.low.min(low), self.high.max(high));
    }

    /// Elements of a buffer that holds exactly what is touched.
    pub fn len(self) -> usize {
        ((self.high - self.low) / 4) as usize
    }

    /// Where the pointer must stand in that buffer.
    pub fn start(self) -> i64 {
        -self.low
    }
}

/// What `tile` touches of input, weights, output, bias and residual.
pub fn extents(tile: &Tile) -> [Extent; 5] {
    let [mut input, mut weights, mut output, mut bias] = [Extent::NONE; 4];
    bias.include(0, 4 * tile.pixels.len() as i64);
    let total: i64 = tile
        .columns
        .iter()
        .map(|column| i64::from(column.valid))
        .sum();
    let (mut room, mut start) = (0, 0);
    for column in &tile.columns {
        let valid = i64::from(column.valid);
        bias.include(room, room + 4 * valid);
        for pixel in &tile.pixels {
            let at = i64::from(pixel.output) + i64::from(column.output);
            output.include(at, at + 4 * valid);
        }
        for (nest, tap) in tile
            .reduction
            .iter()
            .flat_map(|n| n.taps.iter().map(move |tap| (n, tap)))
        {
            let (head, tail) = (i64::from(tap.clip.head), i64::from(tap.clip.tail));
            let (first, end) = ((head - start).max(0), (total - tail - start).min(valid));
            if first >= end {
                continue;
            }
            let (x, w) = travel(nest);
            let at = room + i64::from(nest.weights) + i64::from(tap.weights);
            weights.include(at + w.low + 4 * first, at + w.high + 4 * end);
            for pixel in &tile.pixels {
                let at = i64::from(pixel.input) + i64::from(column.input);
                let at = at + i64::from(nest.input) + i64::from(tap.input);
                let lanes = if tile.source.is_lane_by_lane() {
                    valid
                } else {
                    1
                };
                input.include(at + x.low, at + x.high + 4 * lanes);
            }
        }
        room += column.lanes.bytes();
        start += valid;
    }
    [input, weights, output, bias, output]
}

/// How far the loops of a nest move its input and its weights.
fn travel(nest: &Nest) -> (Extent, Extent) {
    let [mut x, mut w] = [Extent::NONE; 2];
    for l in &nest.loops {
        let last = i64::from(l.trip) - 1;
        for (extent, stride) in [(&mut x, l.input), (&mut w, l.weights)] {
            let travel = last * i64::from(stride);
            extent.low += travel.min(0);
            extent.high += travel.max(0);
        }
    }
    (x, w)
}

/// A tile that `target` accepts. Its constants are dyadic, so integer data gives exact results.
pub fn tile(random: &mut Random, target: Target) -> Tile {
    let source = random.pick(&[
        Source::Broadcast,
        Source::Broadcast,
        Source::Broadcast,
        Source::Lanes,
        Source::Pool(Pool::Sum),
        Source::Pool(Pool::Max),
    ]);
    let epilogue: Vec<Step> = (0..random.within(0, 3)).map(|_| step(random)).collect();
    let partial = random.one_in(2);
    let clip = random.pick(&[
        Clip::NONE,
        Clip { head: 1, tail: 0 },
        Clip { head: 5, tail: 2 },
    ]);
    let clip = if source == Source::Broadcast {
        clip
    } else {
        Clip::NONE
    };
    // The partial column, and the clip at the head, at the tail and in the partial column.
    let masks = usize::from(partial) + if clip == Clip::NONE { 0 } else { 3 };
    let most = target.accumulators(source, &epilogue, masks) as i32;
    let count = random.within(1, most.min(8));
    let pixel_count = random.within(1, most / count);
    let columns = columns(random, target, source, count, partial);
    let row_out: i32 =
        columns.iter().map(|c| i32::from(c.valid) * 4).sum::<i32>() + 4 * random.within(0, 2);
    let pitch = 4 * random.within(0, 40) * random.pick(&[1, 1, 16]);
    let pixels = (0..pixel_count)
        .map(|p| Pixel {
            input: p * pitch,
            output: p * row_out,
        })
        .collect();
    let row: i32 =
        columns.iter().map(|c| c.lanes.bytes() as i32).sum::<i32>() + 4 * random.within(0, 3);
    let reduction = (0..random.within(0, 2))
        .map(|_| nest(random, row, clip))
        .collect();
    let mut init = random.pick(&[Init::Bias, Init::PixelBias, Init::Zero, Init::Accumulate]);
    if source == Source::Pool(Pool::Max) && random.one_in(2) {
        init = Init::Lowest;
    }
    Tile {
        source,
        pixels,
        columns,
        init,
        reduction,
        epilogue,
    }
}

fn columns(
    random: &mut Random,
    target: Target,
    source: Source,
    count: i32,
    partial: bool,
) -> Vec<Column> {
    let widths: Vec<Lanes> = [Lanes::Sixteen, Lanes::Eight, Lanes::Four]
        .into_iter()
        .filter(|&lanes| lanes <= target.lanes())
        .collect();
    let which = random.within(0, count - 1);
    let mut output = 0;
    (0..count)
        .map(|index| {
            let mut column = Column::full(random.pick(&widths), output);
            if partial && index == which {
                column.valid = random.within(1, i32::from(column.valid)) as u8;
            }
            if source.is_lane_by_lane() {
                column.input = 4 * random.within(-8, 40);
            }
            output += i32::from(column.valid) * 4;
            column
        })
        .collect()
}

fn nest(random: &mut Random, row: i32, clip: Clip) -> Nest {
    let consecutive = random.one_in(2);
    let taps: Vec<Tap> = (0..random.within(1, 6))
        .map(|index| Tap {
            input: 4 * random.within(-20, 60),
            weights: if consecutive {
                index * row
            } else {
                4 * random.within(-20, 60)
            },
            clip: if random.one_in(2) { clip } else { Clip::NONE },
        })
        .collect();
    let mut weights = row * taps.len() as i32;
    let loops = (0..random.within(0, 3))
        .map(|_| {
            let l = Loop {
                trip: random.within(1, 3) as u32,
                input: 4 * random.within(-30, 50),
                weights,
            };
            weights *= l.trip as i32;
            l
        })
        .collect();
    Nest {
        input: 4 * random.within(-5, 5),
        weights: row * random.within(0, 2),
        taps,
        loops,
    }
}

fn step(random: &mut Random) -> Step {
    let small = (random.within(-6, 6) as f32).into();
    match random.within(0, 6) {
        0 => Step::AddResidual,
        6 => Step::Map(formula(random)),
        1 => Step::Max(random.pick(&[0.0, 0.0, 3.0]).into()),
        2 => Step::Min(small),
        3 => Step::Scale(random.pick(&[0.5, -1.0, 2.0]).into()),
        4 => Step::LeakyRelu(random.pick(&[0.25, 2.0]).into()),
        _ => Step::Gate {
            scale: small,
            shift: (random.within(-3, 3) as f32).into(),
        },
    }
}

/// A random formula without rounding: sums, limits, selections, products with small dyadic constants, and `2^n` of a clamped value.
fn formula(random: &mut Random) -> Formula {
    let mut code = vec![Inst::Accumulator];
    for _ in 0..random.within(1, 12) {
        let earlier = code.len() as i32 - 1;
        let [x, y, a, b] = std::array::from_fn(|_| random.within(0, earlier) as u16);
        let inst = match random.within(0, 9) {
            0 => Inst::Residual,
            1 | 2 => Inst::Constant(random.pick(&[-2.0, -0.5, 0.0, 0.5, 1.0, 3.0]).into()),
            3 => {
                let bounds = [Binary::Max, Binary::Min, Binary::Sub, Binary::Add];
                Inst::Binary(random.pick(&bounds), x, y)
            }
            4 => Inst::Binary(random.pick(&[Binary::And, Binary::Or, Binary::Xor]), x, x),
            5 => {
                let compare = random.pick(&[
                    Compare::Less,
                    Compare::LessOrEqual,
                    Compare::Equal,
                    Compare::NotEqual,
                ]);
                Inst::Select(compare, [x, y, a, b])
            }
            6 | 7 => {
                let factor = code.len() as u16;
                code.push(Inst::Constant(random.pick(&[-1.0, 0.5, 2.0]).into()));
                let (a, b) = if random.one_in(2) {
                    (x, factor)
                } else {
                    (factor, x)
                };
                Inst::MulAdd(a, b, y)
            }
            8 => {
                let first = code.len() as u16;
                code.push(Inst::Constant(1.0.into()));
                code.push(Inst::Constant(random.pick(&[-3.0, 2.0]).into()));
                Inst::Scale(first, first + 1)
            }
            _ => Inst::Binary(Binary::Sub, y, x),
        };
        code.push(inst);
    }
    Formula { code }
}
