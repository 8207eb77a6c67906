//! Every stage of one small network, as text: what a change of the compiler does to it shows in a review.
//!
//! The processor level is fixed, so the snapshots are the same on every machine.

use crate::execute::{artefact, compiled};
use crate::seeded;
use cnnc::codegen::{Source, flat, listing};
use cnnc::compile::{self, CompileOptions, Compiled};
use cnnc::passes::{PIPELINE, PassOptions};
use cnnc::select::Numerics;
use cnnc_ir::Graph;
use cnnc_ir::text::{Style, print};
use cnnc_runtime::{CpuLevel, Model};

const LEVEL: CpuLevel = CpuLevel::V3;

fn small() -> Graph {
    seeded::network(include_str!("../common/small.cnn"))
}

fn compile(graph: &Graph) -> Compiled {
    compiled(graph, LEVEL, &[]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_graph_as_imported() {
    insta::assert_snapshot!(print(&small(), Style::Brief));
}

/// After each pass what it printed, where it changed something.
#[test]
fn each_pass() {
    let mut graph = small();
    let mut text = String::new();
    for pass in PIPELINE {
        let changes = (pass.run)(&mut graph, &PassOptions::default());
        let changes = changes.unwrap_or_else(|e| panic!("{e}"));
        text.push_str(&format!("// {}: {changes} changes\n", pass.name));
        if changes > 0 {
            text.push_str(&print(&graph, Style::Brief));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_schedule() {
    insta::assert_snapshot!(compile(&small()).schedule);
}

#[test]
fn the_memory_plan() {
    insta::assert_snapshot!(compile(&small()).plan);
}

#[test]
fn the_chosen_kernels() {
    insta::assert_snapshot!(compile(&small()).explanation);
}

/// Steps that are joined have one time, and nothing is planned between them.
#[test]
fn strips() {
    let graph = seeded::network(include_str!("../common/inverted_residual.cnn"));
    let compiled = compile(&graph);
    let stages = [compiled.schedule, compiled.plan, compiled.explanation];
    insta::assert_snapshot!(stages.join("\n"));
}

#[test]
fn the_programs_steps() {
    insta::assert_snapshot!(compile(&small()).program().to_string());
}

/// The program of the artefact is the one that was compiled, and its meta data tell of the stages.
#[test]
fn the_artefact() {
    let (compiled, model) = (
        compile(&small()),
        Model::from_bytes(&artefact(&small(), LEVEL)),
    );
    let Ok(model) = model else {
        println!("skipped: this CPU lacks {LEVEL}");
        return;
    };
    assert_eq!(model.program().to_string(), compiled.program().to_string());
    assert_eq!(
        model.graph(),
        print(&compiled.graph, Style::Brief).as_bytes()
    );
    let meta = |key: &str| {
        let entry = model.meta().iter().find(|(k, _)| k == key);
        entry.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(meta("plan"), compiled.plan);
    assert_eq!(meta("kernels"), compiled.explanation);
    let keys: Vec<&str> = model.meta().iter().map(|(k, _)| k.as_str()).collect();
    insta::assert_snapshot!(keys.join(" "), @"producer operators parameters MACs plan kernels work");
}

/// One nest each of an elementwise operator and of a reduction.
fn nests() -> Graph {
    seeded::network(
        r#"graph "nests" (%x: f32[2,24]) {
             %a = ReduceMax(%x) {keepdims=1}
             %b = Transpose(%x) {perm=[1, 0]}
             %y = Relu(%b)
             return "a" = %a, "y" = %y
           }"#,
    )
}

#[test]
fn the_nests_and_their_clif() {
    let compiled = compile(&nests());
    let mut text = String::new();
    for function in compiled.functions() {
        if let Source::Nest(nest) = function.source() {
            text.push_str(&format!("{nest}\n{}\n", listing::clif(nest, LEVEL)));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn machine_code() {
    let graph = seeded::network(
        r#"graph "relu" (%x: f32[64]) {
             %y = Relu(%x)
             return "y" = %y
           }"#,
    );
    let compiled = compile(&graph);
    let sources: Vec<Source> = compiled.functions().iter().map(|f| f.source()).collect();
    let blob = flat::blob(&sources, LEVEL).unwrap_or_else(|e| panic!("{e}"));
    insta::assert_snapshot!(listing::machine_code(&blob.bytes));
}

#[test]
fn strict_numerics_keep_to_the_direct_sum() {
    let graph = seeded::network(
        r#"graph "square" (%x: f32[1,64,28,28]) {
             %w = seeded f32[64,64,3,3]
             %y = Conv(%x, %w) {pads=[1, 1, 1, 1]}
             return "y" = %y
           }"#,
    );
    let chosen = |numerics| {
        let options = CompileOptions {
            numerics,
            ..CompileOptions::new(LEVEL)
        };
        let compiled = compile::compile(graph.clone(), &options).unwrap_or_else(|e| panic!("{e}"));
        let explained = compiled
            .explanation
            .lines()
            .find(|l| l.contains("(Conv): "));
        explained.map(str::to_string)
    };
    insta::assert_debug_snapshot!([Numerics::Fast, Numerics::Strict].map(chosen), @r#"
    [
        Some(
            "y (Conv): Winograd",
        ),
        Some(
            "y (Conv): convolution tile",
        ),
    ]
    "#);
}
