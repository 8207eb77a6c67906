//! Which algorithm is quickest, and how large its strips should be: estimated cycles of arithmetic and of memory traffic.

use super::{Algorithm, BLOCK};
use crate::kernel::blocking::even;
use crate::kernel::conv::ConvGeometry;
use crate::kernel::tile::Target;

/// Vector multiply-adds a cycle.
const MULTIPLY_ADDS: f64 = 2.0;

/// Bytes a core fetches a cycle from memory, from the cache that cores share, and from its own second one.
const FROM_MEMORY: f64 = 9.0;
const FROM_SHARED: f64 = 20.0;
const FROM_PRIVATE: f64 = 32.0;

/// Bytes that stay in a core's own cache, and in the shared one, while strips are worked on.
const PRIVATE: f64 = 900e3;
const SHARED: f64 = 12e6;

/// Cycles of one call of a tile beside its multiply-adds.
const CALL: f64 = 20.0;

/// Pixels of the register block of a product, and channels of a bundle.
const PIXELS: usize = 14;
const BUNDLE: usize = 2 * BLOCK;

/// Cycles to transform a patch of one block of channels to and fro, for vectors of sixteen lanes.
const fn transforms(algorithm: Algorithm) -> [f64; 2] {
    match algorithm {
        Algorithm::F2 => [36.0, 28.0],
        Algorithm::F4 => [95.0, 80.0],
    }
}

/// How a convolution is cut into units of parallel work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Rows and columns of squares of a strip.
    pub strip: [usize; 2],
    /// Parts of the output channels a strip is split into; each transforms the input again.
    pub parts: usize,
}

/// The quickest algorithm, if one is quicker than the direct sum by more than its estimate may err.
pub fn choose(conv: &ConvGeometry, target: Target, threads: usize) -> Option<Algorithm> {
    const MARGIN: f64 = 0.9;
    let direct = direct(conv, target) / threads.max(1) as f64 * MARGIN;
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| (cut(conv, algorithm, target, threads).0, algorithm))
        .filter(|(cycles, _)| *cycles < direct)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, algorithm)| algorithm)
}

/// The best cut, and the cycles until the last thread has finished with it.
pub(super) fn cut(
    conv: &ConvGeometry,
    algorithm: Algorithm,
    target: Target,
    threads: usize,
) -> (f64, Cut) {
    let [rows, columns] = squares(conv, algorithm);
    let pieces = |all: usize| (1..=all.max(1)).map(move |n| all.div_ceil(n).max(1));
    let wide = pieces(columns).map(|width| [1, width]);
    let tall = pieces(rows).map(|height| [height, columns.max(1)]);
    let bundles = conv.out_channels.div_ceil(BUNDLE);
    wide.chain(tall)
        .flat_map(|strip| (1..=bundles.min(2 * threads)).map(move |parts| Cut { strip, parts }))
        .map(|cut| (winograd(conv, algorithm, target, cut, threads), cut))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((
            f64::INFINITY,
            Cut {
                strip: [1, 1],
                parts: 1,
            },
        ))
}

fn squares(conv: &ConvGeometry, algorithm: Algorithm) -> [usize; 2] {
    let output = conv.output().unwrap_or([0; 2]);
    output.map(|extent| extent.div_ceil(algorithm.size()))
}

/// Work and weights overlap in part: the longer counts in full, the shorter by a half.
fn overlapped(work: f64, traffic: f64) -> f64 {
    work.max(traffic) + 0.5 * work.min(traffic)
}

/// Vectors that the output channels take.
fn columns(conv: &ConvGeometry, target: Target) -> f64 {
    conv.out_channels.div_ceil(target.lanes().count()) as f64
}

/// Bytes of weights, `components` for each pair of channels.
fn weights(conv: &ConvGeometry, components: f64) -> f64 {
    components * (conv.in_channels * conv.out_channels * size_of::<f32>()) as f64
}

fn direct(conv: &ConvGeometry, target: Target) -> f64 {
    let output = conv.output().unwrap_or([0; 2]);
    let pixels = (output[0] * output[1] * conv.batch) as f64;
    let work = pixels * 9.0 * conv.in_channels as f64 * columns(conv, target) / MULTIPLY_ADDS;
    overlapped(work, weights(conv, 9.0) / FROM_MEMORY)
}

fn winograd(
    conv: &ConvGeometry,
    algorithm: Algorithm,
    target: Target,
    Cut { strip, parts }: Cut,
    threads: usize,
) -> f64 {
    let count = squares(conv, algorithm);
    let strips: usize = (0..2)
        .map(|axis| count[axis].div_ceil(strip[axis]))
        .product();
    let (strips, per_strip) = ((strips * conv.batch) as f64, strip[0] * strip[1]);
    let components = algorithm.components() as f64;
    let blocks = [conv.in_channels, conv.out_channels].map(|n| n.div_ceil(BLOCK) as f64);
    let bundles = conv.out_channels.div_ceil(BUNDLE) as f64;

    let squares = strips * per_strip as f64;
    let products = squares * components * conv.in_channels as f64 * columns(conv, target);
    let units = even(per_strip, PIXELS).count() as f64;
    let calls = strips * units * components * bundles * CALL;
    let halves = (BLOCK / target.lanes().count()) as f64;
    let [there, back] = transforms(algorithm);
    let transformed = squares * halves * (there * blocks[0] * parts as f64 + back * blocks[1]);

    let bytes = per_strip as f64 * components * (BLOCK * size_of::<f32>()) as f64;
    let (read, written) = (bytes * blocks[0], bytes * blocks[1] / bundles);
    let weights = weights(conv, components);
    // From strip to strip weights come from the cache that still holds them, for every bundle all of `V`.
    let again = match weights + read + written {
        resident if resident <= PRIVATE => FROM_PRIVATE,
        _ if weights <= SHARED => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    let reread = match read {
        private if private <= PRIVATE => FROM_PRIVATE,
        shared if shared <= SHARED => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    let traffic = weights / FROM_MEMORY
        + (strips - 1.0) * weights / again
        + strips * read * (bundles + 1.0) / reread;
    let total = overlapped(products / MULTIPLY_ADDS + calls + transformed, traffic);
    // The last round of units may leave threads without work.
    let (units, threads) = (strips * parts as f64, threads.max(1) as f64);
    total * (units / threads).ceil() / units
}
