//! Compiling and running, for tests.

use cnnc::compile::{CompileError, CompileOptions, Compiled, compile};
use cnnc::emit;
use cnnc_ir::{Graph, Tensor};
use cnnc_runtime::{self as rt, CpuLevel, Model, SessionOptions, TensorView};

/// The levels this machine has; those it lacks are named on the output.
pub fn levels() -> Vec<CpuLevel> {
    let has = |level: &CpuLevel| {
        let missing = level.missing();
        if !missing.is_empty() {
            println!("skipped: {level} (this CPU has no {})", missing.join(", "));
        }
        missing.is_empty()
    };
    CpuLevel::ALL.into_iter().filter(has).collect()
}

/// Compiles with these passes left out.
pub fn compiled(graph: &Graph, cpu: CpuLevel, skip: &[&str]) -> Result<Compiled, CompileError> {
    let mut options = CompileOptions::new(cpu);
    options.passes.skip = skip.iter().map(ToString::to_string).collect();
    compile(graph.clone(), &options)
}

/// The artefact of a graph.
pub fn artefact(graph: &Graph, cpu: CpuLevel) -> Vec<u8> {
    let compiled = compiled(graph, cpu, &[]).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    let bytes = compiled.artefact(None, |w| w.to_bytes());
    bytes.unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// Runs a model once in a session of its own.
pub fn run(
    model: &Model,
    inputs: &[(String, Tensor)],
    threads: usize,
) -> Vec<(String, rt::Tensor)> {
    let mut session = model
        .session_with(SessionOptions { threads })
        .expect("a session");
    let views: Vec<(&str, TensorView)> = inputs
        .iter()
        .map(|(name, t)| {
            let view = TensorView::from_bytes(emit::dtype(t.dtype()), t.shape(), t.bytes());
            (
                name.as_str(),
                view.expect("as many bytes as the shape asks for"),
            )
        })
        .collect();
    session.run_with(&views).expect("the model runs")
}
