//! Native files (`.cnn`): descriptions of networks ([`cnnc_models::description`]), or the textual form of a graph ([`cnnc_ir::text`]). Free
//! dimensions are fixed where that is asked for; a description's batch is 1 where nothing is said.

use super::onnx::{ImportOptions, Imported, import};
use cnnc_ir::schema::TypeError;
use cnnc_ir::text::{ParseErrors, parse};
use cnnc_ir::{Dim, Graph, TensorType};
use cnnc_models::checkpoint::{CheckpointError, Weights};
use cnnc_models::description::{self, Arguments};
use cnnc_models::network::{Network, WeightError};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// Why a native description is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NativeError {
    #[error("{}: {source}", file.display())]
    Io {
        file: PathBuf,
        source: std::io::Error,
    },
    /// One `file:line:col: message` for each mistake, the line and a caret below.
    #[error("{}", in_file(file, errors))]
    Parse { file: PathBuf, errors: ParseErrors },
    #[error("{}: there is no input '{name}'; there are: {known}", file.display())]
    NoInput {
        file: PathBuf,
        name: String,
        known: String,
    },
    #[error("{}: input '{name}' is {declared}, which {given:?} does not fit", file.display())]
    Shape {
        file: PathBuf,
        name: String,
        declared: TensorType,
        given: Vec<usize>,
    },
    #[error("{}: with these shapes: {source}", file.display())]
    Type { file: PathBuf, source: TypeError },
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    #[error("{}: {source} of {}", weights.display(), file.display())]
    Fit {
        file: PathBuf,
        weights: PathBuf,
        source: Box<WeightError>,
    },
    #[error("{}: is a graph, whose weights stand in it, and takes none from {}", file.display(), weights.display())]
    TakesNoWeights { file: PathBuf, weights: PathBuf },
    #[error("{}: is a graph, which has no parameters to set", file.display())]
    TakesNoArguments { file: PathBuf },
    #[error("{}: is no network description (it does not begin with 'network'); only one can be trained", file.display())]
    NoNetwork { file: PathBuf },
}

fn in_file(file: &Path, errors: &ParseErrors) -> String {
    let located = errors.0.iter().map(|e| format!("{}:{e}", file.display()));
    located.collect::<Vec<_>>().join("\n")
}

/// What a description is given from outside.
#[derive(Clone, Debug, Default)]
pub struct Given<'a> {
    /// For the parameters in its head.
    pub arguments: Arguments,
    /// A file of the values of what it learns.
    pub weights: Option<&'a Path>,
}

/// Seed of the parameters of a network that is read to be compiled.
const SEED: u64 = 0;

/// Reads a file; `shapes` fix the free dimensions of inputs, by name, and of whatever else has the same symbol.
pub fn read(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    given: &Given,
) -> Result<Imported, NativeError> {
    let (graph, notes) = source(path, given)?;
    let mut symbols = bind(&graph, path, shapes)?;
    // A description is untrained or has weights; nothing else is either.
    if !notes.is_empty() || given.weights.is_some() {
        symbols.entry(description::BATCH.into()).or_insert(1);
    }
    Ok(Imported {
        graph: fixed(graph, path, &symbols)?,
        notes,
    })
}

/// Reads a file as [`read`] does, but free dimensions stay free where `shapes` say nothing.
pub fn free(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    given: &Given,
) -> Result<Imported, NativeError> {
    let (graph, notes) = source(path, given)?;
    let graph = with_shapes(graph, path, shapes)?;
    Ok(Imported { graph, notes })
}

/// The graph of a file, and what is to be said of it.
fn source(path: &Path, given: &Given) -> Result<(Graph, Vec<String>), NativeError> {
    let text = text(path)?;
    if description::is_description(&text) {
        let graph = expanded(path, &text, SEED, given)?.graph;
        let notes = given.weights.map_or(vec![untrained()], |_| Vec::new());
        return Ok((graph, notes));
    }
    if let Some(weights) = given.weights {
        return Err(NativeError::TakesNoWeights {
            file: path.into(),
            weights: weights.into(),
        });
    }
    if !given.arguments.is_empty() {
        return Err(NativeError::TakesNoArguments { file: path.into() });
    }
    let graph = parse(&text).map_err(|errors| refused(path, errors))?;
    Ok((graph, Vec::new()))
}

/// A network of the file at `path` with the parameters of the file of `weights`.
fn with_weights(mut network: Network, path: &Path, weights: &Path) -> Result<Network, NativeError> {
    let applied = Weights::read(weights)?.apply(&mut network);
    applied.map_err(|source| NativeError::Fit {
        file: path.into(),
        weights: weights.into(),
        source: Box::new(source),
    })?;
    Ok(network)
}

fn untrained() -> String {
    format!("untrained: parameters are drawn from seed {SEED}")
}

/// Reads a description, its weights drawn from `seed` where none are given; the batch stays free.
pub fn network(path: &Path, seed: u64, given: &Given) -> Result<Network, NativeError> {
    let text = text(path)?;
    match description::is_description(&text) {
        true => expanded(path, &text, seed, given),
        false => Err(NativeError::NoNetwork { file: path.into() }),
    }
}

fn text(path: &Path) -> Result<String, NativeError> {
    std::fs::read_to_string(path).map_err(|source| NativeError::Io {
        file: path.into(),
        source,
    })
}

fn expanded(path: &Path, text: &str, seed: u64, given: &Given) -> Result<Network, NativeError> {
    let import = |file: &str| imported(path, file);
    let network = description::expand(text, &given.arguments, Some(seed), &import);
    let network = network.map_err(|errors| refused(path, errors))?;
    match given.weights {
        Some(weights) => with_weights(network, path, weights),
        None => Ok(network),
    }
}

fn refused(path: &Path, errors: ParseErrors) -> NativeError {
    NativeError::Parse {
        file: path.into(),
        errors,
    }
}

/// The graph of an ONNX file that a description imports: one below the description's own folder.
fn imported(description: &Path, file: &str) -> Result<Graph, String> {
    let is_below = |c: Component| matches!(c, Component::Normal(_) | Component::CurDir);
    if !Path::new(file).components().all(is_below) {
        return Err(format!("'{file}' is not below the description's folder"));
    }
    let path = description.with_file_name(file);
    let imported = import(&path, &ImportOptions::default()).map_err(|e| e.to_string())?;
    Ok(imported.graph)
}

/// A graph that came from `path`, the free dimensions of its inputs fixed.
pub fn with_shapes(
    graph: Graph,
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<Graph, NativeError> {
    let symbols = bind(&graph, path, shapes)?;
    fixed(graph, path, &symbols)
}

fn fixed(graph: Graph, path: &Path, symbols: &BTreeMap<String, u64>) -> Result<Graph, NativeError> {
    if symbols.is_empty() {
        return Ok(graph);
    }
    fix(&graph, symbols).map_err(|source| NativeError::Type {
        file: path.into(),
        source,
    })
}

/// What the shapes say about the symbols of the inputs.
fn bind(
    graph: &Graph,
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<BTreeMap<String, u64>, NativeError> {
    let mut symbols = BTreeMap::new();
    for (name, given) in shapes {
        let mut inputs = graph.inputs().iter();
        let Some(&input) = inputs.find(|&&id| graph.value_name(id.into()) == name) else {
            let inputs = graph.inputs().iter();
            let known: Vec<&str> = inputs.map(|&id| graph.value_name(id.into())).collect();
            return Err(NativeError::NoInput {
                file: path.into(),
                name: name.clone(),
                known: known.join(", "),
            });
        };
        let declared = graph.ty(input.into());
        let fits = |(dim, &n): (&Dim, &usize)| match dim {
            Dim::Fixed(m) => *m == n as u64,
            Dim::Sym { name, upper } => {
                upper.is_none_or(|u| n as u64 <= u)
                    && *symbols.entry(name.to_string()).or_insert(n as u64) == n as u64
            }
        };
        if declared.shape.len() != given.len() || !declared.shape.iter().zip(given).all(fits) {
            return Err(NativeError::Shape {
                file: path.into(),
                name: name.clone(),
                declared: declared.clone(),
                given: given.clone(),
            });
        }
    }
    Ok(symbols)
}

/// The same graph, typed again with these symbols known.
fn fix(graph: &Graph, symbols: &BTreeMap<String, u64>) -> Result<Graph, TypeError> {
    let mut fixed = Graph::new(graph.name.clone());
    let mut inputs = Vec::new();
    for &id in graph.inputs() {
        let mut ty = graph.ty(id.into()).clone();
        for dim in &mut ty.shape {
            if let Dim::Sym { name, .. } = dim
                && let Some(&n) = symbols.get(&**name)
            {
                *dim = Dim::Fixed(n);
            }
        }
        inputs.push(fixed.add_input(graph.value_name(id.into()), ty));
    }
    let outputs = fixed.inline(graph, &inputs, "", "")?;
    for ((name, _), value) in graph.outputs().iter().zip(outputs) {
        fixed.add_output(name, value);
    }
    Ok(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnnc_ir::text::{Style, print};
    use insta::assert_snapshot;

    const NET: &str = "graph \"net\" (%x: f32[N,3], %y: f32[N,3]) {\n  %z = Add(%x, %y)\n  return \"z\" = %z\n}\n";

    fn read_with(text: &str, shapes: &[(&str, &[usize])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("net.cnn");
        std::fs::write(&file, text).unwrap();
        let shapes = shapes.iter().map(|(n, s)| (n.to_string(), s.to_vec()));
        let text = match read(&file, &shapes.collect(), &Given::default()) {
            Ok(read) => print(&read.graph, Style::Brief),
            Err(e) => e.to_string(),
        };
        text.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn a_shape_fixes_its_symbol_everywhere() {
        assert_snapshot!(read_with(NET, &[("x", &[5, 3])]));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert_snapshot!(read_with(NET, &[("x", &[5, 4])]));
        assert_snapshot!(read_with(NET, &[("x", &[5, 3]), ("y", &[6, 3])]));
        assert_snapshot!(read_with(NET, &[("q", &[5, 3])]));
    }

    const DESCRIPTION: &str =
        "network net\ninput x: f32[4]\noutput y = dense(x, 2, relu, init=he_normal)\n";

    #[test]
    fn a_description_has_one_sample_where_nothing_is_said() {
        assert_snapshot!(read_with(DESCRIPTION, &[]));
        assert_snapshot!(read_with(DESCRIPTION, &[("x", &[8, 4])]));
    }

    #[test]
    fn imports_stay_in_the_folder() {
        let with = |file: &str| format!("network net\nimport \"{file}\" as b\n");
        assert_snapshot!(read_with(&with("../b.onnx"), &[]));
        assert_snapshot!(read_with(&with("/b.onnx"), &[]));
    }

    #[test]
    fn a_mistake_is_shown_where_it_stands() {
        assert_snapshot!(read_with(&NET.replace("Add", "Ad"), &[]));
    }
}
