//! Every operator that has a gradient, in small graphs at random shapes: `{a}`, `{b}`, `{c}` stand for extents of 1 to 4, `{d}` and `{e}`
//! for 5 to 8. Inputs are drawn away from kinks.

mod compositions;
mod contractions;
mod elementwise;
mod indexing;
mod movements;
mod recurrent;
mod reductions;
mod windows;

use crate::harness::{Case, check, text};

/// All of them.
pub fn all() -> Vec<Case> {
    [
        compositions::cases(),
        contractions::cases(),
        elementwise::cases(),
        indexing::cases(),
        movements::cases(),
        recurrent::cases(),
        reductions::cases(),
        windows::cases(),
    ]
    .concat()
}

/// Cases whose inputs are drawn from one range.
fn drawn<S: ToString>(range: [f64; 2], bodies: impl IntoIterator<Item = S>) -> Vec<Case> {
    let bodies = bodies.into_iter();
    bodies.map(|body| (range, body.to_string())).collect()
}

fn hold(cases: Vec<Case>) {
    for (range, body) in cases {
        check(&text(&body), range);
    }
}

#[test]
fn compositions() {
    hold(compositions::cases());
}

#[test]
fn contractions() {
    hold(contractions::cases());
}

#[test]
fn elementwise_operators() {
    hold(elementwise::cases());
}

#[test]
fn indexing() {
    hold(indexing::cases());
}

#[test]
fn movements() {
    hold(movements::cases());
}

#[test]
fn recurrent_operators() {
    hold(recurrent::cases());
}

#[test]
fn reductions() {
    hold(reductions::cases());
}

#[test]
fn windows() {
    hold(windows::cases());
}
