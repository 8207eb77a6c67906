//! `cnnc compile`: a model to an artefact, any stage on the way shown.

use super::args::{Common, Compile, Emit};
use super::failure::Failure;
use super::progress::Progress;
use super::train::with_file;
use super::{line, load, note, output, step};
use crate::codegen::{self, Source, listing};
use crate::compile::{CompileOptions, Compiled, compile};
use crate::passes::{self, PIPELINE};
use crate::select::decision::Choices;
use crate::train;
use crate::tune::{TuneError, tune};
use cnnc_ir::Graph;
use cnnc_ir::text::{Style, print};
use std::path::Path;
use std::time::{Duration, Instant};

pub fn run(a: &Compile, common: &Common) -> Result<(), Failure> {
    let start = Instant::now();
    let path = &a.model.model;
    for stage in a.stop_after.iter().chain(&a.print) {
        check_stage(stage)?;
    }
    if let Some(out) = &a.output {
        output::check(out)?;
        if output::same_file(out, path) {
            return Err(Failure::input(format!(
                "-o {} would replace the model itself",
                out.display()
            )));
        }
    }
    let mut options = load::compile_options(common)?;
    options.passes.skip = a.skip.clone();
    options.passes.recompute = a.step.train;
    let graph = match a.step.train {
        true => training_step(a, common, &mut options)?,
        false => load::graph(path, &load::shapes(&a.model.inputs)?, common)?,
    };
    if let Some(tuned) = &a.replay {
        replay(tuned, common, &mut options)?;
    }
    if show_passes(a, common, &graph, &options)? {
        return Ok(());
    }
    if let Some(seconds) = a.tune {
        let progress = Progress::new("tuning", common);
        let budget = Duration::from_secs_f64(seconds.min(86400.0));
        options.choices = tune(&graph, &options, budget, |share| progress.show(share))?;
    }
    let source = a.keep_graph.then(|| graph.clone());
    let compiled = compile(graph, &options).map_err(|e| load::in_file(path, e))?;
    for stage in a.print.iter().chain(&a.stop_after) {
        print_stage(&compiled, stage, common)?;
    }
    if a.stop_after.is_some() {
        return Ok(());
    }
    let Some(out) = &a.output else {
        return if a.print.is_empty() {
            Err(Failure::input("where to? -o OUT.bin is missing"))
        } else {
            Ok(())
        };
    };
    match a.emit {
        Emit::Bin => compiled
            .artefact(source.as_ref(), |w| w.write_file(out))?
            .map_err(Failure::system)?,
        Emit::Obj => {
            let sources: Vec<Source> = compiled.functions().iter().map(|f| f.source()).collect();
            let object =
                codegen::object::object(&sources, compiled.program().cpu, &compiled.graph.name)
                    .map_err(Failure::input)?;
            output::write(out, &object)?;
        }
    }
    report(a, common, &compiled, start.elapsed().as_secs_f64())
}

/// The graph of a training step. Its states, their first values and what there is to say of it go to the options.
fn training_step(
    a: &Compile,
    common: &Common,
    options: &mut CompileOptions,
) -> Result<Graph, Failure> {
    let path = &a.model.model;
    let (network, settings) = step::network_and_settings(&a.step, path, a.seed, common)?;
    let step = cnnc_models::step::step(&network, &settings);
    let step = step.map_err(|e| with_file(path, e.into()))?;
    options.states = train::bound(&step, true);
    options.remarks = train::remarks(&step, &settings);
    Ok(step.graph)
}

/// Shows the graph before and between passes, where asked for; whether that was all.
fn show_passes(
    a: &Compile,
    common: &Common,
    graph: &Graph,
    options: &CompileOptions,
) -> Result<bool, Failure> {
    for stage in a.print.iter().chain(&a.stop_after) {
        let until = match stage.as_str() {
            "import" => None,
            name if PIPELINE.iter().any(|p| p.name == name) => Some(name),
            _ => continue,
        };
        let mut copy = graph.clone();
        if let Some(name) = until {
            passes::run_until(&mut copy, &options.passes, Some(name))
                .map_err(|e| load::in_file(&a.model.model, e.into()))?;
        }
        show(stage, &print(&copy, Style::Brief), common)?;
        if a.stop_after.as_ref() == Some(stage) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl From<TuneError> for Failure {
    fn from(e: TuneError) -> Failure {
        match e {
            TuneError::Run(e) => e.into(),
            e => Failure::input(e),
        }
    }
}

/// Sets what a tuned artefact was compiled with; the command line may say the same, but nothing else.
fn replay(tuned: &Path, common: &Common, options: &mut CompileOptions) -> Result<(), Failure> {
    let model = load::open(tuned)?;
    let refused = |what: &str| Failure::input(format!("{}: {what}", tuned.display()));
    let text = load::meta(&model, "choices");
    if text.is_empty() {
        return Err(refused("records no choices: compile it with --tune"));
    }
    let choices: Choices = text
        .parse()
        .map_err(|()| refused("records choices that this version does not know"))?;
    let cpu = model.program().cpu;
    if common.threads.is_some() && options.threads != choices.threads {
        return Err(refused(&format!(
            "was tuned for --threads {}, not {}",
            choices.threads, options.threads
        )));
    }
    if common.cpu.is_some() && options.cpu != cpu {
        return Err(refused(&format!(
            "was tuned for {cpu}, not {}",
            options.cpu
        )));
    }
    options.cpu = cpu;
    options.threads = choices.threads;
    options.numerics = choices.numerics;
    options.choices = choices;
    Ok(())
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
    let mut passes: Vec<&str> = PIPELINE.iter().map(|p| p.name).collect();
    passes.sort_unstable();
    passes.dedup();
    Err(Failure::input(format!(
        "there is no stage '{stage}'; stages: {}; passes: {}",
        STAGES.join(", "),
        passes.join(", ")
    )))
}

/// A stage as text; with `--json` an object that holds the text.
fn show(stage: &str, text: &str, common: &Common) -> Result<(), Failure> {
    if common.json {
        return line(&serde_json::json!({"stage": stage, "text": text}).to_string());
    }
    line(text)
}

fn print_stage(c: &Compiled, stage: &str, common: &Common) -> Result<(), Failure> {
    let show = |text: &str| show(stage, text, common);
    match stage {
        "graph" | "passes" => show(&print(&c.graph, Style::Brief)),
        "schedule" => show(&c.schedule),
        "memory" => show(&c.plan),
        "select" => show(&c.explanation),
        "nests" | "clif" => c.functions().iter().try_for_each(|f| match f.source() {
            Source::Nest(n) if stage == "clif" => show(&listing::clif(n, c.program().cpu)),
            Source::Nest(n) => show(&n.to_string()),
            Source::Tiled(t) => show(&t.plan.to_string()),
            Source::Staged(s) => show(&s.plan.to_string()),
        }),
        "asm" => {
            let sources: Vec<Source> = c.functions().iter().map(|f| f.source()).collect();
            let blob = codegen::flat::blob(&sources, c.program().cpu).map_err(Failure::input)?;
            show(&listing::machine_code(&blob.bytes))
        }
        _ => Ok(()),
    }
}
