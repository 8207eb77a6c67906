//! How filter gradients are cut, and whether they are quicker than the direct sum.

use super::{
    Algorithm, BLOCK, CALL, Cut, FROM_MEMORY, FROM_PRIVATE, FROM_SHARED, MULTIPLY_ADDS, PRIVATE,
    SHARED, Scheme, Setting, columns, direct, overlapped, squares, transforms,
};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::tile::Target;

/// Units of parallel work to have at least, so that threads have something to share. The number may not depend on that of threads:
/// each part of the batch has a sum of its own.
const UNITS: usize = 8;

/// Input channels of a tile.
const PIXELS: usize = 8;

/// How a filter gradient is cut where its scheme says nothing; no choice that changes results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gradient {
    /// Blocks of input and of output channels that a strip does.
    pub blocks: [usize; 2],
    /// Images whose squares are transformed together.
    pub images: usize,
}

impl Gradient {
    /// The cuts that are estimated to be quickest.
    pub fn cuts(conv: &ConvGeometry, scheme: Scheme, target: Target) -> Gradient {
        let cuts = candidates(conv, scheme).into_iter();
        let cost = |cuts: &Gradient| cycles(conv, scheme, *cuts, target);
        let quickest = cuts.min_by(|a, b| cost(a).total_cmp(&cost(b)));
        quickest.unwrap_or(Gradient {
            blocks: [1, 1],
            images: 1,
        })
    }
}

/// The quickest scheme for a filter gradient, if it is quicker than the direct sum by more than its estimate may err.
pub fn choose_gradient(conv: &ConvGeometry, setting: Setting) -> Option<Scheme> {
    const MARGIN: f64 = 0.9;
    let (cycles, scheme) = *estimates(conv, setting.algorithms(), setting.target).first()?;
    (cycles < MARGIN * direct(conv, setting.target)).then_some(scheme)
}

/// All schemes of some algorithms, that which is estimated to be quickest first.
pub fn rank_gradient(
    conv: &ConvGeometry,
    algorithms: &[Algorithm],
    setting: Setting,
) -> Vec<Scheme> {
    let estimates = estimates(conv, algorithms, setting.target).into_iter();
    estimates.map(|(_, scheme)| scheme).collect()
}

/// Schemes and the cycles of one thread, in the order of these.
fn estimates(conv: &ConvGeometry, algorithms: &[Algorithm], target: Target) -> Vec<(f64, Scheme)> {
    let mut estimates = Vec::new();
    for &algorithm in algorithms {
        for cut in cuts(conv, algorithm) {
            let scheme = Scheme { algorithm, cut };
            let all = candidates(conv, scheme).into_iter();
            let cycles = all.map(|cuts| cycles(conv, scheme, cuts, target));
            estimates.push((cycles.fold(f64::INFINITY, f64::min), scheme));
        }
    }
    estimates.sort_by(|a, b| a.0.total_cmp(&b.0));
    estimates
}

/// Strips of whole rows of squares, and pieces of one row, for several parts of the batch.
fn cuts(conv: &ConvGeometry, algorithm: Algorithm) -> Vec<Cut> {
    let [rows, columns] = squares(conv, algorithm).map(|n| n.max(1));
    let tall = doubled(rows).map(|height| [height, columns]);
    let wide = doubled(columns)
        .filter(|w| *w < columns)
        .map(|width| [1, width]);
    let strips = tall.chain(wide);
    strips
        .flat_map(|strip| doubled(conv.batch.min(UNITS)).map(move |parts| Cut { strip, parts }))
        .collect()
}

/// 1, 2, 4, .. and `most`.
fn doubled(most: usize) -> impl Iterator<Item = usize> + Clone {
    let powers = (0..usize::BITS).map(|bit| 1 << bit);
    powers.take_while(move |n| *n < most).chain([most])
}

fn blocks(conv: &ConvGeometry) -> [usize; 2] {
    [conv.in_channels, conv.out_channels].map(|channels| channels.div_ceil(BLOCK))
}

/// The cuts of a scheme that leave enough units of work.
fn candidates(conv: &ConvGeometry, scheme: Scheme) -> Vec<Gradient> {
    let Cut { strip, parts } = scheme.cut;
    let all = blocks(conv);
    let whole = (0..2).all(|axis| strip[axis] >= squares(conv, scheme.algorithm)[axis]);
    let most = if whole { conv.batch.div_ceil(parts) } else { 1 };
    let enough = UNITS.min(parts * all[0] * all[1]);
    let mut candidates = Vec::new();
    for rows in doubled(all[0]) {
        for columns in doubled(all[1]) {
            if parts * all[0].div_ceil(rows) * all[1].div_ceil(columns) < enough {
                continue;
            }
            candidates.extend(doubled(most).map(|images| Gradient {
                blocks: [rows, columns],
                images,
            }));
        }
    }
    candidates
}

/// Cycles to transform a square of the output's gradient, and a result, for vectors of sixteen lanes.
const fn more_transforms(algorithm: Algorithm) -> [f64; 2] {
    match algorithm {
        Algorithm::F2 => [30.0, 30.0],
        Algorithm::F4 => [80.0, 70.0],
    }
}

/// Cycles of one thread.
fn cycles(conv: &ConvGeometry, scheme: Scheme, cuts: Gradient, target: Target) -> f64 {
    let Scheme { algorithm, cut } = scheme;
    let all = blocks(conv).map(|n| n as f64);
    let own = cuts.blocks.map(|n| n as f64);
    let shares = [0, 1].map(|side| (all[side] / own[side]).ceil());
    let components = algorithm.components() as f64;
    let count = squares(conv, algorithm);
    let per_image = (count[0] * count[1]) as f64;
    let halves = (BLOCK / target.lanes().count()) as f64;
    let (parts, images) = (cut.parts as f64, conv.batch as f64);
    let strips: usize = (0..2)
        .map(|axis| count[axis].div_ceil(cut.strip[axis]))
        .product();
    let chunks = strips as f64 * (images / parts / cuts.images as f64).ceil();
    let chunk = per_image * images / parts / chunks;

    let all_squares = per_image * images;
    let products = all_squares * components * conv.in_channels as f64 * columns(conv, target);
    let tiles = all[0] * (BLOCK / PIXELS) as f64 * columns(conv, target) / 2.0;
    // Besides the call, sums are fetched and stored.
    let calls = parts * chunks * components * tiles * (CALL + 2.0 * PIXELS as f64);
    let [square, result] = more_transforms(algorithm);
    let transformed = all_squares
        * halves
        * (transforms(algorithm)[0] * all[0] * shares[1] + square * all[1] * shares[0])
        + parts * halves * result * conv.in_channels as f64 * all[1];

    let vector = (BLOCK * size_of::<f32>()) as f64;
    let operands = chunk * components * vector * (own[0] + own[1]);
    let sums = components * own[0] * BLOCK as f64 * own[1] * vector;
    let between = match operands + sums {
        private if private <= PRIVATE => FROM_PRIVATE,
        shared if shared <= SHARED => FROM_SHARED,
        _ => FROM_MEMORY,
    };
    let strips = parts * shares[0] * shares[1];
    let results = parts * conv.in_channels as f64 * all[1] * 9.0 * vector;
    let traffic = strips * chunks * 2.0 * (operands + sums) / between + results / FROM_MEMORY;
    overlapped(products / MULTIPLY_ADDS + calls + transformed, traffic)
}
