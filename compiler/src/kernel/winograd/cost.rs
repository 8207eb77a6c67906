//! Which algorithm is quickest, and how large its strips should be: estimated cycles of arithmetic and of memory traffic.

mod gradient;

use super::{Algorithm, BLOCK};
use crate::kernel::blocking::even;
use crate::kernel::conv::ConvGeometry;
use crate::kernel::tile::Target;
pub use gradient::{Gradient, choose_gradient, rank_gradient};

/// Vector multiply-adds a cycle.
const MULTIPLY_ADDS: f64 = 2.0;

/// Bytes a core fetches a cycle from memory, from the cache that cores share, from its own second one, and from so little of that
/// that it is fetched ahead of time. These and the numbers below are fitted to what `compile --tune` measures.
const FROM_MEMORY: f64 = 9.0;
const FROM_SHARED: f64 = 16.0;
const FROM_PRIVATE: f64 = 32.0;
const FROM_NEAR: f64 = 64.0;

/// Bytes of `V` and `M` that are near, that stay in a core's own cache, and in the shared one, while a strip is worked on.
const NEAR: f64 = 200e3;
const PRIVATE: f64 = 900e3;
const SHARED: f64 = 12e6;

/// Bytes of all that stay in a core's own cache from strip to strip.
const RESIDENT: f64 = 600e3;

/// Cycles of one call of a tile beside its multiply-adds.
const CALL: f64 = 10.0;

/// Squares of a strip of several images at most, and strips there are to be then.
const SQUARES: usize = 128;
const UNITS: usize = 8;

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

/// An algorithm, and how work is cut for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scheme {
    pub algorithm: Algorithm,
    pub cut: Cut,
}

/// How a convolution is cut into units of parallel work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// Rows and columns of squares of a strip.
    pub strip: [usize; 2],
    /// Parts of the output channels a strip is split into; each transforms the input again.
    pub parts: usize,
}

/// What a choice depends on beside the convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub target: Target,
    pub threads: usize,
    /// Whether weights are known at run time only, and transformed there.
    pub computed: bool,
    /// Whether sums, and so the algorithm, may not depend on the number of threads.
    pub same_sums: bool,
}

impl Setting {
    /// The algorithms that estimates may take; a choice that was measured or recorded may be another. Weights that are computed are weights that learn: there F(2x2), which errs no more than
    /// the direct sum, keeps gradients within 1e-5 of what they are in f64; F(4x4) does not where a network amplifies errors.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match self.computed {
            true => &[Algorithm::F2],
            false => &Algorithm::ALL,
        }
    }
}

/// The quickest scheme, if it is quicker than the direct sum by more than its estimate may err.
pub fn choose(conv: &ConvGeometry, setting: Setting) -> Option<Scheme> {
    const MARGIN: f64 = 0.9;
    let judged = match setting.same_sums {
        true => Setting {
            threads: 1,
            ..setting
        },
        false => setting,
    };
    let direct = direct(conv, setting.target) / judged.threads.max(1) as f64 * MARGIN;
    let (cycles, scheme) = *estimates(conv, setting.algorithms(), judged).first()?;
    let best = ranking(conv, &[scheme.algorithm], setting);
    best.into_iter().next().filter(|_| cycles < direct)
}

/// All schemes of some algorithms, that which is estimated to be quickest first.
pub fn ranking(conv: &ConvGeometry, algorithms: &[Algorithm], setting: Setting) -> Vec<Scheme> {
    let estimates = estimates(conv, algorithms, setting);
    estimates.into_iter().map(|(_, scheme)| scheme).collect()
}

/// Schemes and the cycles until the last thread has finished, in the order of these.
fn estimates(
    conv: &ConvGeometry,
    algorithms: &[Algorithm],
    setting: Setting,
) -> Vec<(f64, Scheme)> {
    let schemes = algorithms.iter().flat_map(|&algorithm| {
        let cuts = cuts(conv, algorithm, setting.threads).into_iter();
        cuts.map(move |cut| Scheme { algorithm, cut })
    });
    let mut estimates: Vec<(f64, Scheme)> = schemes
        .map(|scheme| (winograd(conv, scheme, setting), scheme))
        .collect();
    estimates.sort_by(|a, b| a.0.total_cmp(&b.0));
    estimates
}

/// Images whose squares make a strip together, so that weights are fetched less often: several only where a strip is a whole image.
/// They change no sum, and so are no part of a choice.
pub fn images(conv: &ConvGeometry, scheme: Scheme, target: Target, computed: bool) -> usize {
    let count = squares(conv, scheme.algorithm);
    let is_whole = (0..2).all(|axis| scheme.cut.strip[axis] >= count[axis]);
    let per_image = (count[0] * count[1]).max(1);
    let most = match is_whole {
        true => (SQUARES / per_image).clamp(1, conv.batch.max(1)),
        false => 1,
    };
    let setting = Setting {
        target,
        threads: 1,
        computed,
        same_sums: true,
    };
    let units = |images: usize| conv.batch.div_ceil(images) * scheme.cut.parts;
    let enough = UNITS.min(units(1));
    let cycles = |images: &usize| cycles(conv, scheme, *images, setting);
    let candidates = (1..=most).filter(|&images| units(images) >= enough);
    let quickest = candidates.min_by(|a, b| cycles(a).total_cmp(&cycles(b)));
    quickest.unwrap_or(1)
}

/// Strips of whole rows of squares, and pieces of one row; each in one part or in several.
fn cuts(conv: &ConvGeometry, algorithm: Algorithm, threads: usize) -> Vec<Cut> {
    let [rows, columns] = squares(conv, algorithm);
    let pieces = |all: usize| {
        let mut pieces: Vec<usize> = (1..=all.max(1)).map(|n| all.div_ceil(n).max(1)).collect();
        pieces.dedup();
        pieces.into_iter()
    };
    let tall = pieces(rows).map(|height| [height, columns.max(1)]);
    let wide = pieces(columns).skip(1).map(|width| [1, width]);
    let bundles = conv.out_channels.div_ceil(BUNDLE);
    tall.chain(wide)
        .flat_map(|strip| (1..=bundles.min(2 * threads)).map(move |parts| Cut { strip, parts }))
        .collect()
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

fn winograd(conv: &ConvGeometry, scheme: Scheme, setting: Setting) -> f64 {
    let images = images(conv, scheme, setting.target, setting.computed);
    cycles(conv, scheme, images, setting)
}

/// Cycles where strips are of so many images.
fn cycles(conv: &ConvGeometry, scheme: Scheme, images: usize, setting: Setting) -> f64 {
    let Setting {
        target, threads, ..
    } = setting;
    let Scheme { algorithm, cut } = scheme;
    let Cut { strip, parts } = cut;
    let count = squares(conv, algorithm);
    let strips: usize = (0..2)
        .map(|axis| count[axis].div_ceil(strip[axis]))
        .product();
    let strips = (strips * conv.batch.div_ceil(images)) as f64;
    let per_strip = strip[0] * strip[1] * images;
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
    // From strip to strip weights come from the cache that still holds them.
    let again = match weights + read + written {
        resident if resident <= RESIDENT => FROM_PRIVATE,
        _ if weights <= SHARED => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    // `V` is written once and read for every bundle; of `M` each bundle's part is written and read.
    let between = match read + written {
        near if near <= NEAR => FROM_NEAR,
        private if private <= PRIVATE => FROM_PRIVATE,
        shared if shared <= SHARED => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    let first = match (setting.computed, weights <= SHARED) {
        (true, true) => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    let traffic = weights / first
        + (strips - 1.0) * weights / again
        + strips * (read * (bundles + 1.0) + 2.0 * written * bundles) / between;
    let total = overlapped(products / MULTIPLY_ADDS + calls + transformed, traffic);
    // The last round of units may leave threads without work.
    let (units, threads) = (strips * parts as f64, threads.max(1) as f64);
    let transform = match setting.computed {
        true => filters(conv, algorithm, target),
        false => 0.0,
    };
    transform / threads + total * (units / threads).ceil() / units
}

/// Cycles to transform computed weights.
fn filters(conv: &ConvGeometry, algorithm: Algorithm, target: Target) -> f64 {
    let halves = (BLOCK / target.lanes().count()) as f64;
    let patches = (conv.in_channels * conv.out_channels.div_ceil(BLOCK)) as f64 * halves;
    let each = match algorithm {
        Algorithm::F2 => 50.0,
        Algorithm::F4 => 110.0,
    };
    let weights = weights(conv, algorithm.components() as f64);
    let to = match weights <= SHARED {
        true => FROM_SHARED,
        false => FROM_MEMORY,
    };
    overlapped(patches * each, weights / to)
}
