//! Which algorithm is quickest: cycles of arithmetic, of transforms, and of fetching the weights, side by side.

use super::{Algorithm, BLOCK};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::tile::Target;

/// Vector multiply-adds a cycle.
const MULTIPLY_ADDS: f64 = 2.0;

/// Bytes of weights a core fetches a cycle from memory.
const FETCHED: f64 = 6.0;

/// Cycles to transform a patch of one vector to and fro, for vectors of sixteen lanes.
const fn transforms(algorithm: Algorithm) -> [f64; 2] {
    match algorithm {
        Algorithm::F2 => [36.0, 28.0],
        Algorithm::F4 => [95.0, 80.0],
    }
}

/// The quickest algorithm, if one is quicker than the direct sum by more than its estimate may err.
pub fn choose(conv: &ConvGeometry, target: Target) -> Option<Algorithm> {
    const MARGIN: f64 = 0.9;
    let direct = direct(conv, target) * MARGIN;
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| (winograd(conv, algorithm, target), algorithm))
        .filter(|(cycles, _)| *cycles < direct)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, algorithm)| algorithm)
}

/// Work and weights overlap in part: the longer counts in full, the shorter by a half.
fn overlapped(work: f64, weights: f64) -> f64 {
    work.max(weights) + 0.5 * work.min(weights)
}

fn pixels(conv: &ConvGeometry, size: usize) -> f64 {
    let output = conv.output().unwrap_or([0; 2]);
    output
        .iter()
        .map(|extent| extent.div_ceil(size) as f64)
        .product::<f64>()
        * conv.batch as f64
}

fn direct(conv: &ConvGeometry, target: Target) -> f64 {
    let columns = conv.out_channels.div_ceil(target.lanes().count()) as f64;
    let work = pixels(conv, 1) * 9.0 * conv.in_channels as f64 * columns / MULTIPLY_ADDS;
    overlapped(work, fetch(conv, 9.0))
}

fn winograd(conv: &ConvGeometry, algorithm: Algorithm, target: Target) -> f64 {
    let squares = pixels(conv, algorithm.size());
    let components = algorithm.components() as f64;
    let columns = conv.out_channels.div_ceil(target.lanes().count()) as f64;
    let products = squares * components * conv.in_channels as f64 * columns / MULTIPLY_ADDS;
    let blocks = [conv.in_channels, conv.out_channels].map(|n| n.div_ceil(BLOCK) as f64);
    let halves = (BLOCK / target.lanes().count()) as f64;
    let [there, back] = transforms(algorithm);
    let transformed = squares * halves * (there * blocks[0] + back * blocks[1]);
    overlapped(products + transformed, fetch(conv, components))
}

/// Cycles to fetch the weights, `components` for each pair of channels.
fn fetch(conv: &ConvGeometry, components: f64) -> f64 {
    components * (conv.in_channels * conv.out_channels * size_of::<f32>()) as f64 / FETCHED
}
