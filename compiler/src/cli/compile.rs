//! `cnnc compile`: a model to an artefact, any stage on the way shown.

use super::args::{Common, Compile, Emit};
use super::failure::Failure;
use super::{line, load, note};
use crate::codegen::{self, Source, listing};
use crate::compile::{Compiled, compile};
use crate::passes::{self, PIPELINE};
use cnnc_ir::text::{Style, print};
use std::time::Instant;

pub fn run(a: &Compile, common: &Common) -> Result<(), Failure> {
    let start = Instant::now();
    let path = &a.model.model;
    if load::is_artefact(path) {
        return Err(Failure::input(format!(
            "{}: expected a .onnx or .cnn file",
            path.display()
        )));
    }
    for stage in a.stop_after.iter().chain(&a.print) {
        check_stage(stage)?;
    }
    let graph = load::graph(path, &load::shapes(&a.model.inputs)?, common)?;
    let mut options = load::compile_options(common)?;
    options.passes.skip = a.skip.clone();
    for stage in a.print.iter().chain(&a.stop_after) {
        let until = match stage.as_str() {
            "import" => None,
            name if PIPELINE.iter().any(|p| p.name == name) => Some(name),
            _ => continue,
        };
        let mut copy = graph.clone();
        if let Some(name) = until {
            passes::run_until(&mut copy, &options.passes, Some(name))
                .map_err(|e| load::in_file(path, e.into()))?;
        }
        line(&print(&copy, Style::Brief))?;
        if a.stop_after.as_ref() == Some(stage) {
            return Ok(());
        }
    }
    let compiled = compile(graph, &options).map_err(|e| load::in_file(path, e))?;
    for stage in a.print.iter().chain(&a.stop_after) {
        print_stage(&compiled, stage)?;
    }
    if a.stop_after.is_some() {
        return Ok(());
    }
    let Some(output) = &a.output else {
        return if a.print.is_empty() {
            Err(Failure::input("where to? -o OUT.bin is missing"))
        } else {
            Ok(())
        };
    };
    match a.emit {
        Emit::Bin => compiled
            .artefact(|w| w.write_file(output))?
            .map_err(Failure::system)?,
        Emit::Obj => {
            let sources: Vec<Source> = compiled.functions().iter().map(|f| f.source()).collect();
            let object =
                codegen::object::object(&sources, compiled.program().cpu, &compiled.graph.name)
                    .map_err(Failure::input)?;
            std::fs::write(output, object).map_err(|e| Failure::file(output, &e))?;
        }
    }
    report(a, common, &compiled, start.elapsed().as_secs_f64())
}

fn report(a: &Compile, common: &Common, compiled: &Compiled, seconds: f64) -> Result<(), Failure> {
    let (functions, arena, weights) = (
        compiled.functions().len(),
        compiled.program().arena_bytes,
        compiled.weights().len(),
    );
    if common.json {
        return line(&serde_json::json!({
            "model": a.model.model.display().to_string(), "seconds": seconds, "functions": functions,
            "arena_bytes": arena, "weight_bytes": weights, "cpu": compiled.program().cpu.name(),
        }).to_string());
    }
    note(
        common,
        &format!(
            "{}: {functions} functions for {}, {:.1} MB of weights, {:.1} MB of arena, compiled in {seconds:.2} s",
            a.model.model.display(),
            compiled.program().cpu,
            weights as f64 / 1e6,
            arena as f64 / 1e6,
        ),
    );
    Ok(())
}

const STAGES: &[&str] = &[
    "import", "graph", "passes", "schedule", "memory", "select", "nests", "clif", "asm",
];

fn check_stage(stage: &str) -> Result<(), Failure> {
    if STAGES.contains(&stage) || PIPELINE.iter().any(|p| p.name == stage) {
        return Ok(());
    }
    let passes: Vec<&str> = PIPELINE.iter().map(|p| p.name).collect();
    Err(Failure::input(format!(
        "there is no stage '{stage}'; stages: {}; passes: {}",
        STAGES.join(", "),
        passes.join(", ")
    )))
}

fn print_stage(c: &Compiled, stage: &str) -> Result<(), Failure> {
    match stage {
        "graph" | "passes" => line(&print(&c.graph, Style::Brief)),
        "schedule" => line(&c.schedule),
        "memory" => line(&c.plan),
        "select" => line(&c.explanation),
        "nests" | "clif" => c.functions().iter().try_for_each(|f| match f.source() {
            Source::Nest(n) if stage == "clif" => line(&listing::clif(n, c.program().cpu)),
            Source::Nest(n) => line(&n.to_string()),
            Source::Tiled(t) => line(&t.plan.to_string()),
            Source::Staged(s) => line(&s.plan.to_string()),
        }),
        "asm" => {
            let sources: Vec<Source> = c.functions().iter().map(|f| f.source()).collect();
            let blob = codegen::flat::blob(&sources, c.program().cpu).map_err(Failure::input)?;
            line(&listing::machine_code(&blob.bytes))
        }
        _ => Ok(()),
    }
}
