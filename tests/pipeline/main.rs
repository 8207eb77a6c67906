//! The whole pipeline: from a graph to an artefact that runs, held against the interpreter and against itself.

#[path = "../common/feeds.rs"]
mod feeds;
#[path = "../common/seeded.rs"]
mod seeded;

mod arbitrary;
mod computed;
mod damage;
mod determinism;
mod execute;
mod export;
mod gradients;
mod plan;
mod random;
mod stages;
mod states;
mod training;
mod winograd;
