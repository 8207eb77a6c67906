//! The candidate lists: for each class the kernels there are, best first, the one that always fits last.

use super::{Offer, Request, Selector};
use super::{
    contract, filter, matrix, nests, planar, pool, portable, scale, transposed, unpool, winograd,
};
use cnnc_ir::Semantics;

/// A row of a candidate list.
pub(super) struct Candidate {
    pub(super) name: &'static str,
    pub(super) offer: fn(&mut Selector, &Request) -> Offer,
}

pub(super) const CONTRACTIONS: &[Candidate] = &[
    Candidate {
        name: "depthwise tile",
        offer: contract::depthwise_tile,
    },
    Candidate {
        name: "Winograd",
        offer: winograd::winograd,
    },
    Candidate {
        name: "convolution tile",
        offer: contract::convolution_tile,
    },
    Candidate {
        name: "transposed tile",
        offer: transposed::transposed_tile,
    },
    Candidate {
        name: "planar tile",
        offer: planar::planar_tile,
    },
    Candidate {
        name: "filter tile",
        offer: filter::filter_tile,
    },
    Candidate {
        name: "matrix tile",
        offer: matrix::matrix_tile,
    },
    Candidate {
        name: "loop nest",
        offer: nests::loop_nest,
    },
];
const NESTS: &[Candidate] = &[Candidate {
    name: "loop nest",
    offer: nests::loop_nest,
}];
const POOLS: &[Candidate] = &[
    Candidate {
        name: "pool tile",
        offer: pool::pool_tile,
    },
    Candidate {
        name: "loop nest",
        offer: nests::loop_nest,
    },
];
const MAPS: &[Candidate] = &[
    Candidate {
        name: "scale tile",
        offer: scale::scale_tile,
    },
    Candidate {
        name: "loop nest",
        offer: nests::loop_nest,
    },
];
const MOVEMENTS: &[Candidate] = &[
    Candidate {
        name: "loop nest",
        offer: nests::loop_nest,
    },
    Candidate {
        name: "portable kernel",
        offer: portable::movement,
    },
];
const ROUTINES: &[Candidate] = &[Candidate {
    name: "portable kernel",
    offer: portable::routine,
}];

const WINDOW_GRADIENTS: &[Candidate] = &[
    Candidate {
        name: "unpool tile",
        offer: unpool::unpool_tile,
    },
    Candidate {
        name: "portable kernel",
        offer: portable::window_gradient,
    },
];

/// The list of a class.
pub(super) fn of(semantics: &Semantics) -> &'static [Candidate] {
    match semantics {
        Semantics::Contract(_) => CONTRACTIONS,
        Semantics::Window(_) | Semantics::Reduce(_) => POOLS,
        Semantics::WindowGradient { .. } => WINDOW_GRADIENTS,
        Semantics::Elementwise(_) => MAPS,
        Semantics::Movement(_) => MOVEMENTS,
        Semantics::Index(_) => ROUTINES,
        _ => NESTS,
    }
}
