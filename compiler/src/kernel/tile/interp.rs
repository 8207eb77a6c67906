//! Executes a tile in plain Rust, with every access checked: the oracle of the assembled targets.

use super::{Clip, ELEMENT, Init, Nest, Pool, Source, Step, Tile};
use std::ops::Range;

/// The five arguments of a tile: buffers of f32 and the byte offset each pointer starts at.
#[derive(Debug)]
pub struct Arguments<'a> {
    pub input: (&'a [f32], i64),
    pub weights: (&'a [f32], i64),
    pub output: (&'a mut [f32], i64),
    pub bias: (&'a [f32], i64),
    pub residual: (&'a [f32], i64),
}

/// An access the machine code would have made outside its buffers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tile touches byte {offset} of `{buffer}`, which holds {bytes} bytes")]
pub struct Fault {
    pub buffer: &'static str,
    pub offset: i64,
    pub bytes: usize,
}

/// Runs `tile`; products and sums are fused as in the AVX targets.
///
/// # Errors
/// If an access is out of bounds or not aligned to an element. The output may then be partly written.
pub fn interpret(tile: &Tile, arguments: &mut Arguments<'_>) -> Result<(), Fault> {
    let mut results = Vec::new();
    for pixel in 0..tile.pixels.len() {
        for lane in lanes(tile) {
            let output = i64::from(tile.pixels[pixel].output) + lane.output;
            results.push((output, accumulate(tile, arguments, pixel, &lane, output)?));
        }
    }
    for (offset, value) in results {
        let at = locate(
            "output",
            arguments.output.0.len(),
            arguments.output.1 + offset,
        )?;
        arguments.output.0[at] = value;
    }
    Ok(())
}

/// One lane of a column. Offsets are bytes.
struct Lane {
    input: i64,
    weights: i64,
    bias: i64,
    output: i64,
    /// Its place among all columns' valid lanes, and its column's.
    position: i32,
    column: Range<i32>,
    /// Valid lanes of all columns.
    total: i32,
}

/// How a tap sees a lane.
enum Sight {
    Weight,
    /// Clipped, while other lanes of the column are not.
    Zero,
    /// Clipped together with its column.
    Nothing,
}

impl Lane {
    fn sight(&self, clip: Clip) -> Sight {
        let seen = i32::from(clip.head)..self.total - i32::from(clip.tail);
        if seen.contains(&self.position) {
            Sight::Weight
        } else if seen.start.max(self.column.start) < seen.end.min(self.column.end) {
            Sight::Zero
        } else {
            Sight::Nothing
        }
    }
}

/// All lanes of all columns.
fn lanes(tile: &Tile) -> Vec<Lane> {
    let total = tile
        .columns
        .iter()
        .map(|column| i32::from(column.valid))
        .sum();
    let (mut lanes, mut room, mut start) = (Vec::new(), 0, 0);
    for column in &tile.columns {
        let valid = i32::from(column.valid);
        for index in 0..valid {
            let offset = i64::from(index) * ELEMENT;
            lanes.push(Lane {
                input: if tile.source.is_lane_by_lane() {
                    i64::from(column.input) + offset
                } else {
                    0
                },
                weights: room + offset + i64::from(column.weights),
                bias: room + offset,
                output: i64::from(column.output) + offset,
                position: start + index,
                column: start..start + valid,
                total,
            });
        }
        start += valid;
        room += column.lanes.bytes();
    }
    lanes
}

/// The value that the tile stores at `output`.
fn accumulate(
    tile: &Tile,
    arguments: &Arguments<'_>,
    pixel: usize,
    lane: &Lane,
    output: i64,
) -> Result<f32, Fault> {
    let mut acc = match tile.init {
        Init::Bias => element("bias", arguments.bias, lane.bias)?,
        Init::PixelBias => element("bias", arguments.bias, pixel as i64 * ELEMENT)?,
        Init::Zero => 0.0,
        Init::Lowest => f32::NEG_INFINITY,
        Init::Accumulate => {
            let (elements, start) = &arguments.output;
            element("output", (elements, *start), output)?
        }
    };
    for nest in &tile.reduction {
        let input = i64::from(tile.pixels[pixel].input);
        acc = reduce(tile.source, nest, arguments, acc, input, lane)?;
    }
    for step in &tile.epilogue {
        acc = apply(step, acc, || {
            element("residual", arguments.residual, output)
        })?;
    }
    Ok(acc)
}

/// One accumulator's share of a nest, for a pixel whose input starts at `pixel`.
fn reduce(
    source: Source,
    nest: &Nest,
    arguments: &Arguments<'_>,
    acc: f32,
    pixel: i64,
    lane: &Lane,
) -> Result<f32, Fault> {
    let mut acc = acc;
    let iterations: u64 = nest.loops.iter().map(|l| u64::from(l.trip)).product();
    for iteration in 0..iterations {
        let mut x = pixel + lane.input + i64::from(nest.input);
        let mut w = lane.weights + i64::from(nest.weights);
        let mut rest = iteration;
        for l in &nest.loops {
            let index = (rest % u64::from(l.trip)) as i64;
            rest /= u64::from(l.trip);
            x += index * i64::from(l.input);
            w += index * i64::from(l.weights);
        }
        for tap in &nest.taps {
            let value = || element("input", arguments.input, x + i64::from(tap.input));
            if let Source::Pool(pool) = source {
                acc = combine(pool, acc, value()?);
                continue;
            }
            let weight = match lane.sight(tap.clip) {
                Sight::Weight => element("weights", arguments.weights, w + i64::from(tap.weights))?,
                Sight::Zero => 0.0,
                Sight::Nothing => continue,
            };
            acc = value()?.mul_add(weight, acc);
        }
    }
    Ok(acc)
}

fn combine(pool: Pool, acc: f32, x: f32) -> f32 {
    match pool {
        Pool::Sum => acc + x,
        Pool::Max => f32::from_bits(max(acc, x).to_bits() | max(x, acc).to_bits()),
    }
}

pub(super) fn apply(
    step: &Step,
    x: f32,
    residual: impl Fn() -> Result<f32, Fault>,
) -> Result<f32, Fault> {
    Ok(match step {
        Step::Map(formula) => formula.eval(x, residual)?,
        Step::AddResidual => x + residual()?,
        Step::Max(c) => max(c.value(), x),
        Step::Min(c) => min(c.value(), x),
        Step::Scale(c) => x * c.value(),
        Step::LeakyRelu(alpha) => alpha.value().mul_add(min(0.0, x), max(0.0, x)),
        Step::Gate { scale, shift } => x * min(1.0, max(0.0, x * scale.value() + shift.value())),
    })
}

/// Unlike `f32::max`, a NaN in `x` stays.
fn max(c: f32, x: f32) -> f32 {
    if c > x { c } else { x }
}

/// Unlike `f32::min`, a NaN in `x` stays.
fn min(c: f32, x: f32) -> f32 {
    if c < x { c } else { x }
}

pub(super) fn element(
    buffer: &'static str,
    (elements, start): (&[f32], i64),
    offset: i64,
) -> Result<f32, Fault> {
    locate(buffer, elements.len(), start + offset).map(|at| elements[at])
}

/// The index of the element at a byte offset.
pub(super) fn locate(buffer: &'static str, len: usize, offset: i64) -> Result<usize, Fault> {
    let index = usize::try_from(offset / ELEMENT).ok();
    index
        .filter(|&index| offset >= 0 && offset % ELEMENT == 0 && index < len)
        .ok_or(Fault {
            buffer,
            offset,
            bytes: len * size_of::<f32>(),
        })
}
