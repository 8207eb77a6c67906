//! From MODEL to something that runs: an artefact is opened, everything else is compiled in memory.

use super::args::Common;
use super::failure::Failure;
use super::note;
use crate::compile::{CompileError, CompileOptions, Compiled, compile};
use crate::frontend::native::{self, NativeError};
use crate::frontend::onnx::{self, ImportError, ImportOptions, Imported, import};
use cnnc_ir::{Graph, Tensor};
use cnnc_models::checkpoint::CheckpointError;
use cnnc_runtime::{FormatError, Model, RunError};
use std::fmt::Display;
use std::path::Path;

impl From<ImportError> for Failure {
    fn from(e: ImportError) -> Failure {
        Failure {
            details: e.problems.iter().map(ToString::to_string).collect(),
            ..Failure::input(e)
        }
    }
}

impl From<NativeError> for Failure {
    fn from(e: NativeError) -> Failure {
        match e {
            NativeError::Io { .. } => Failure::system(e),
            NativeError::Weights(e) => e.into(),
            e => Failure::input(e),
        }
    }
}

impl From<CompileError> for Failure {
    fn from(e: CompileError) -> Failure {
        Failure::input(e)
    }
}

impl From<CheckpointError> for Failure {
    fn from(e: CheckpointError) -> Failure {
        match e {
            CheckpointError::Io { .. } => Failure::system(e),
            e => Failure::input(e),
        }
    }
}

impl From<RunError> for Failure {
    fn from(e: RunError) -> Failure {
        match e {
            RunError::Memory { .. } | RunError::Thread { .. } => Failure::system(e),
            e => Failure::input(e),
        }
    }
}

/// What a file name says it is.
pub fn is_artefact(path: &Path) -> bool {
    !matches!(extension(path), "onnx" | "cnn")
}

/// The graph that an artefact carries. Its code is not touched, so the file need not be trusted, nor fit this processor.
fn carried(path: &Path) -> Result<Graph, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::file(path, &e))?;
    let text = Model::read_graph(&bytes).map_err(|e| refused(path, e))?;
    let graph = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| cnnc_ir::text::parse(text).ok());
    graph.ok_or_else(|| {
        Failure::input(format!(
            "{}: does not carry its graph: compile the model with --keep-graph, or give the model",
            path.display()
        ))
    })
}

/// Whether the file is a native description.
pub fn is_native(path: &Path) -> bool {
    extension(path) == "cnn"
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

/// Refuses `--weights` and `--set` for a model that has its own weights and no parameters.
pub fn check_given(path: &Path, common: &Common) -> Result<(), Failure> {
    let message = match common.weights() {
        _ if is_native(path) => return Ok(()),
        Some(weights) => format!(
            "--weights {}: only a network description (.cnn) takes weights, {} has its own",
            weights.display(),
            path.display()
        ),
        None if !common.arguments.is_empty() => format!(
            "--set: only a network description (.cnn) has parameters, {} has none",
            path.display()
        ),
        None => return Ok(()),
    };
    Err(Failure::input(message))
}

/// The graph of a source file.
pub fn graph(path: &Path, options: &ImportOptions, common: &Common) -> Result<Graph, Failure> {
    check_given(path, common)?;
    if is_artefact(path) {
        return Ok(native::with_shapes(carried(path)?, path, &options.shapes)?);
    }
    std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
    let Imported { graph, notes } = match is_native(path) {
        true => native::read(path, &options.shapes, &common.given())?,
        false => import(path, options)?,
    };
    notes_of(path, &notes, common);
    Ok(graph)
}

/// The graph of a source file, its free dimensions left so where that can be.
pub fn free(path: &Path, options: &ImportOptions, common: &Common) -> Result<Graph, Failure> {
    check_given(path, common)?;
    if is_artefact(path) {
        return graph(path, options, common);
    }
    std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
    if is_native(path) {
        let Imported { graph, notes } = native::free(path, &options.shapes, &common.given())?;
        notes_of(path, &notes, common);
        return Ok(graph);
    }
    let free = ImportOptions {
        free: true,
        ..options.clone()
    };
    match import(path, &free) {
        Ok(imported) => Ok(imported.graph),
        // An operator wants to know them; what is wrong with the model is found again.
        Err(_) => graph(path, options, common),
    }
}

/// The inputs of a source file with their extents.
pub fn input_dims(
    path: &Path,
    options: &ImportOptions,
    common: &Common,
) -> Result<Vec<onnx::InputDims>, Failure> {
    if !is_artefact(path) && !is_native(path) {
        return Ok(onnx::input_dims(path)?);
    }
    // What is to be said of the model is said when it is compiled.
    let quiet = Common {
        quiet: true,
        ..common.clone()
    };
    let graph = free(path, options, &quiet)?;
    let dims = graph.inputs().iter().map(|&id| {
        let dims = graph.ty(id.into()).shape.iter().map(|dim| dim.fixed());
        (graph.value_name(id.into()).to_string(), dims.collect())
    });
    Ok(dims.collect())
}

fn notes_of(path: &Path, notes: &[String], common: &Common) {
    for n in notes {
        note(common, &format!("{}: {n}", path.display()));
    }
}

/// A source file, compiled.
pub fn compiled(
    path: &Path,
    options: &ImportOptions,
    common: &Common,
) -> Result<Compiled, Failure> {
    let graph = graph(path, options, common)?;
    compile(graph, &compile_options(common)?).map_err(|e| in_file(path, e))
}

pub fn compile_options(common: &Common) -> Result<CompileOptions, Failure> {
    let mut options = CompileOptions::new(common.cpu()?);
    options.max_arena = common.max_arena;
    options.numerics = common.numerics.into();
    options.threads = match common.threads() {
        0 => cnnc_runtime::available_threads(),
        threads => threads,
    };
    Ok(options)
}

/// A compile error with the file's name.
pub fn in_file(path: &Path, e: CompileError) -> Failure {
    Failure::input(format!("{}: {e}", path.display()))
}

/// A wrong input, with the file's name.
pub fn wrong(path: &Path, e: impl Display) -> Failure {
    Failure::input(format!("{}: {e}", path.display()))
}

/// A model ready to run.
pub fn model(path: &Path, options: &ImportOptions, common: &Common) -> Result<Model, Failure> {
    if is_artefact(path) {
        return open_for(path, options, common);
    }
    Ok(compiled(path, options, common)?.model()?)
}

pub fn open(path: &Path) -> Result<Model, Failure> {
    Model::open(path).map_err(|e| refused(path, e))
}

/// Why an artefact cannot be opened.
pub fn refused(path: &Path, e: FormatError) -> Failure {
    match e {
        FormatError::Io { .. } => Failure::system(e),
        e => Failure::input(format!("{}: {e}", path.display())),
    }
}

/// An artefact, whose shapes are what they are: others are refused.
pub fn open_for(path: &Path, options: &ImportOptions, common: &Common) -> Result<Model, Failure> {
    check_given(path, common)?;
    let model = open(path)?;
    let program = model.program();
    for (name, asked) in &options.shapes {
        let Some(port) = program.inputs.iter().find(|p| p.name == *name) else {
            return Err(Failure::input(format!(
                "{}: there is no input '{name}'",
                path.display()
            )));
        };
        let dims = program.upper_dims(&port.operand);
        if !dims
            .iter()
            .eq(asked.iter().map(|&n| n as u64).collect::<Vec<_>>().iter())
        {
            return Err(Failure::input(format!(
                "{}: input '{name}' was compiled for {dims:?}, not for {asked:?}: compile the model again",
                path.display()
            )));
        }
    }
    Ok(model)
}

/// A remark of the compiler in an artefact; empty where there is none.
pub fn meta<'m>(model: &'m Model, key: &str) -> &'m str {
    let found = model.meta().iter().find(|(k, _)| k == key);
    found.map_or("", |(_, value)| value)
}

/// `NAME=REST`.
pub fn assignment(text: &str) -> Result<(&str, &str), Failure> {
    text.rsplit_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::input(format!("expected NAME=VALUE, got '{text}'")))
}

/// `1x3x224x224`; a scalar is `scalar`.
pub fn shape(text: &str) -> Option<Vec<usize>> {
    if text == "scalar" {
        return Some(Vec::new());
    }
    text.split(['x', ',']).map(|d| d.parse().ok()).collect()
}

/// Shapes from `--input NAME=SHAPE`.
pub fn shapes(inputs: &[String]) -> Result<ImportOptions, Failure> {
    let mut options = ImportOptions::default();
    for text in inputs {
        let (name, rest) = assignment(text)?;
        let shape = shape(rest).ok_or_else(|| {
            Failure::input(format!(
                "--input {text}: expected a shape such as 1x3x224x224"
            ))
        })?;
        options.shapes.insert(name.to_string(), shape);
    }
    Ok(options)
}

/// Imports and compiles for these inputs; inputs whose values determine shapes become constants.
pub fn specialised(
    path: &Path,
    inputs: &[(String, Tensor)],
    common: &Common,
) -> Result<(Compiled, Vec<String>), Specialise> {
    let mut options = ImportOptions::default();
    for (name, t) in inputs {
        options.shapes.insert(name.clone(), t.shape().to_vec());
    }
    // Fixing one input may show that another one is needed; each round fixes at least one more.
    for _ in 0..=inputs.len() {
        let imported = match import(path, &options) {
            Err(e) => {
                let needed: Vec<&(String, Tensor)> = inputs
                    .iter()
                    .filter(|(n, _)| {
                        e.needs_values().contains(n) && !options.values.contains_key(n)
                    })
                    .collect();
                if needed.is_empty() {
                    return Err(Specialise::Import(e));
                }
                for (name, t) in needed {
                    options.shapes.remove(name);
                    options.values.insert(name.clone(), t.clone());
                }
                continue;
            }
            Ok(imported) => imported,
        };
        let compile_options = compile_options(common).map_err(Specialise::Other)?;
        let compiled = compile(imported.graph, &compile_options).map_err(Specialise::Compile)?;
        return Ok((compiled, options.values.into_keys().collect()));
    }
    Err(Specialise::Other(Failure::input(
        "inputs that determine shapes could not be fixed",
    )))
}

/// Why [`specialised`] failed.
pub enum Specialise {
    Import(ImportError),
    Compile(CompileError),
    Other(Failure),
}

impl From<Specialise> for Failure {
    fn from(e: Specialise) -> Failure {
        match e {
            Specialise::Import(e) => e.into(),
            Specialise::Compile(e) => e.into(),
            Specialise::Other(e) => e,
        }
    }
}
