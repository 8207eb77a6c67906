//! Executes a tile in plain Rust, with every access checked: the oracle of the assembled targets.

use super::{Column, ELEMENT, Init, Nest, Source, Step, Tile};

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
    for (index, pixel) in tile.pixels.iter().enumerate() {
        let mut room = 0;
        for column in &tile.columns {
            for lane in 0..i64::from(column.valid) {
                let lane = lane * ELEMENT;
                let output = i64::from(pixel.output) + i64::from(column.output) + lane;
                let bias = match tile.init {
                    Init::PixelBias => index as i64 * ELEMENT,
                    _ => room + lane,
                };
                let mut acc = initial(tile.init, arguments, output, bias)?;
                for nest in &tile.reduction {
                    let input = i64::from(pixel.input) + input_lane(tile.source, column, lane);
                    acc = reduce(nest, arguments, acc, input, room + lane)?;
                }
                for &step in &tile.epilogue {
                    acc = apply(step, acc, || {
                        element("residual", arguments.residual, output)
                    })?;
                }
                results.push((output, acc));
            }
            room += column.lanes.bytes();
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

fn input_lane(source: Source, column: &Column, lane: i64) -> i64 {
    match source {
        Source::Broadcast => 0,
        Source::Lanes => i64::from(column.input) + lane,
    }
}

fn initial(init: Init, arguments: &Arguments<'_>, output: i64, bias: i64) -> Result<f32, Fault> {
    match init {
        Init::Bias | Init::PixelBias => element("bias", arguments.bias, bias),
        Init::Zero => Ok(0.0),
        Init::Accumulate => element("output", (&*arguments.output.0, arguments.output.1), output),
    }
}

/// One accumulator's share of a nest: its input starts at `input`, its weights at `weights`.
fn reduce(
    nest: &Nest,
    arguments: &Arguments<'_>,
    acc: f32,
    input: i64,
    weights: i64,
) -> Result<f32, Fault> {
    let mut acc = acc;
    let iterations: u64 = nest.loops.iter().map(|l| u64::from(l.trip)).product();
    for iteration in 0..iterations {
        let (mut x, mut w) = (
            input + i64::from(nest.input),
            weights + i64::from(nest.weights),
        );
        let mut rest = iteration;
        for l in &nest.loops {
            let index = (rest % u64::from(l.trip)) as i64;
            rest /= u64::from(l.trip);
            x += index * i64::from(l.input);
            w += index * i64::from(l.weights);
        }
        for tap in &nest.taps {
            let value = element("input", arguments.input, x + i64::from(tap.input))?;
            let weight = element("weights", arguments.weights, w + i64::from(tap.weights))?;
            acc = value.mul_add(weight, acc);
        }
    }
    Ok(acc)
}

fn apply(step: Step, x: f32, residual: impl Fn() -> Result<f32, Fault>) -> Result<f32, Fault> {
    Ok(match step {
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

fn element(
    buffer: &'static str,
    (elements, start): (&[f32], i64),
    offset: i64,
) -> Result<f32, Fault> {
    locate(buffer, elements.len(), start + offset).map(|at| elements[at])
}

/// The index of the element at a byte offset.
fn locate(buffer: &'static str, len: usize, offset: i64) -> Result<usize, Fault> {
    let index = usize::try_from(offset / ELEMENT).ok();
    index
        .filter(|&index| offset >= 0 && offset % ELEMENT == 0 && index < len)
        .ok_or(Fault {
            buffer,
            offset,
            bytes: len * size_of::<f32>(),
        })
}
