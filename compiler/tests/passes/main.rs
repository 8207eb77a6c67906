//! Every pass, before and after, as text. A fixture is a call of [`check`]: graph in, graph out.

#[path = "../../../tests/common/feeds.rs"]
mod feeds;
#[path = "../../../tests/common/seeded.rs"]
mod seeded;

mod assign_layouts;
mod decompose;
mod eliminate_common;
mod fold_batch_norm;
mod fold_constants;
mod fold_pads;
mod fuse_elementwise;
mod fuse_epilogues;
mod fuse_rectifiers;
mod recompute;
mod remove_dead;
mod remove_noops;
mod remove_requantization;
mod simplify;
mod split_reductions;
mod spread_upsamples;
mod tidy;

use cnnc::passes::{PIPELINE, PassOptions};
use cnnc_ir::interp::{Interpreter, Precision, distance};
use cnnc_ir::text::{Style, print};
use cnnc_ir::verify::verify;
use cnnc_ir::{Graph, Tensor};

/// How the results before and after a pass compare.
#[derive(Clone, Copy)]
enum Results {
    /// Bit for bit.
    Same,
    /// But for rounding: weights were multiplied together, sums taken in another order.
    Rounded,
}
use Results::{Rounded, Same};

/// Runs one pass on a graph and prints what it made.
///
/// Proves on the way: before and after satisfy the verifier, a second run changes nothing, and the interpreter's results are the
/// same for three seeds.
#[track_caller]
fn check(pass: &str, results: Results, text: &str) -> String {
    let before = seeded::network(&format!("graph \"t\" {}", text.trim_start()));
    assert_eq!(verify(&before), Ok(()), "before:\n{before}");
    let options = PassOptions {
        recompute: true,
        ..PassOptions::default()
    };
    let run = |graph: &mut Graph| {
        let pass = PIPELINE.iter().find(|p| p.name == pass);
        let run = pass.expect("a pass of the pipeline").run;
        run(graph, &options).unwrap_or_else(|e| panic!("{e}"))
    };
    let mut after = before.clone();
    let changes = run(&mut after);
    let printed = print(&after, Style::Brief);
    assert_eq!(verify(&after), Ok(()), "after:\n{printed}");

    let mut again = after.clone();
    assert_eq!(
        run(&mut again),
        0,
        "a second run changes\n{printed}\nto\n{again}"
    );
    assert!(
        again == after,
        "a second run changes\n{printed}\nto\n{again}"
    );

    for seed in 1..=3 {
        let inputs = feeds::inputs(&before, seed);
        for ((name, was), (_, is)) in outputs(&before, &inputs)
            .iter()
            .zip(&outputs(&after, &inputs))
        {
            let equal = match results {
                Same => was == is,
                Rounded => was.shape() == is.shape() && distance(is, was) < 1e-5,
            };
            assert!(equal, "'{name}' was {was:?}, is {is:?} after\n{printed}");
        }
    }
    format!("{changes}\n{printed}")
}

fn outputs(graph: &Graph, inputs: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    let results = Interpreter::new(Precision::F32).run(graph, &feeds::by_name(inputs));
    results.unwrap_or_else(|e| panic!("{e}\n{graph}"))
}
