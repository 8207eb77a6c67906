//! `cnnc run`: inputs from files, outputs to files, a digest of each output.

use super::args::{Common, Run};
use super::failure::{Failure, printable};
use super::tensors::Pictures;
use super::{line, load, ranking, tensors};
use crate::emit;
use crate::frontend::onnx::ImportOptions;
use cnnc_ir::{DType, Tensor};
use cnnc_runtime::{self as rt, Model, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn run(a: &Run, common: &Common) -> Result<(), Failure> {
    load::check_given(&a.model, common)?;
    let mut given: BTreeMap<&str, &str> = BTreeMap::new();
    for text in &a.inputs {
        let (name, source) = load::assignment(text)?;
        if given.insert(name, source).is_some() {
            return Err(Failure::input(format!("input '{name}' is given twice")));
        }
    }
    let outputs = if load::is_artefact(&a.model) {
        let model = load::open(&a.model)?;
        let inputs = inputs(&model, &given, a, common)?;
        execute(&model, &inputs, common.threads())?
    } else {
        from_source(a, &given, common)?
    };
    write(a, &outputs)?;
    report(a, common, &outputs)
}

/// Compiles for the inputs that files give, then runs.
fn from_source(
    a: &Run,
    given: &BTreeMap<&str, &str>,
    common: &Common,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let mut files = Vec::new();
    let mut options = ImportOptions::default();
    for (name, source) in given {
        if let Some(shape) = load::shape(source) {
            options.shapes.insert(name.to_string(), shape);
        } else if !source.starts_with("random:") && !is_picture(source) {
            files.push((
                name.to_string(),
                tensors::read(Path::new(source), &[], pictures(a), common)?,
            ));
        }
    }
    if files.len() == given.len() && !files.is_empty() && !load::is_native(&a.model) {
        let (compiled, fixed) = load::specialised(&a.model, &files, common)?;
        let inputs: Vec<(String, Tensor)> = files
            .into_iter()
            .filter(|(n, _)| !fixed.contains(n))
            .collect();
        return execute(&compiled.model()?, &inputs, common.threads());
    }
    for (name, t) in &files {
        options.shapes.insert(name.clone(), t.shape().to_vec());
    }
    fit_pictures(a, given, &mut options, common)?;
    let model = load::model(&a.model, &options, common)?;
    let inputs = inputs(&model, given, a, common)?;
    execute(&model, &inputs, common.threads())
}

fn pictures(a: &Run) -> Pictures {
    Pictures {
        resize: a.resize,
        white: a.scale,
    }
}

/// Inputs of free height or width get those of their pictures.
fn fit_pictures(
    a: &Run,
    given: &BTreeMap<&str, &str>,
    options: &mut ImportOptions,
    common: &Common,
) -> Result<(), Failure> {
    let shown: Vec<_> = given.iter().filter(|(_, s)| is_picture(s)).collect();
    if shown.is_empty() {
        return Ok(());
    }
    // What is wrong with the model is told when it is compiled.
    let Ok(inputs) = load::input_dims(&a.model, options, common) else {
        return Ok(());
    };
    for (name, source) in shown {
        let input = inputs.iter().find(|(input, _)| input == name);
        let Some([n, c, h, w]) = input.map(|(_, dims)| &dims[..]) else {
            continue;
        };
        if h.is_none() || w.is_none() {
            let [height, width] = tensors::photo(Path::new(source), pictures(a))?.size();
            let own = [(n, 1), (c, 3), (h, height), (w, width)];
            let shape = own.map(|(extent, own)| extent.map_or(own, |n| n as usize));
            options.shapes.insert(name.to_string(), shape.to_vec());
        }
    }
    Ok(())
}

fn is_picture(source: &str) -> bool {
    [".png", ".jpg", ".jpeg"]
        .iter()
        .any(|e| source.to_lowercase().ends_with(e))
}

/// Values for all inputs of the model; those not given are an error.
fn inputs(
    model: &Model,
    given: &BTreeMap<&str, &str>,
    a: &Run,
    common: &Common,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let ports = &model.program().inputs;
    let known = || {
        ports
            .iter()
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(name) = given.keys().find(|n| ports.iter().all(|p| p.name != **n)) {
        return Err(Failure::input(format!(
            "there is no input '{name}'; there are: {}",
            known()
        )));
    }
    ports
        .iter()
        .map(|port| {
            let source = given.get(port.name.as_str()).ok_or_else(|| {
                Failure::input(format!(
                    "input '{}' is missing; give it with --input {}=FILE (or random:SEED)",
                    port.name, port.name
                ))
            })?;
            let shape: Vec<usize> = model
                .program()
                .upper_dims(&port.operand)
                .into_iter()
                .map(|d| d as usize)
                .collect();
            let tensor = match source.strip_prefix("random:") {
                Some(seed) => {
                    let seed = seed.parse().map_err(|_| {
                        Failure::input(format!("random:SEED wants a number, got '{seed}'"))
                    })?;
                    tensors::random(ir_dtype(port.operand.dtype), &shape, seed)
                }
                None if load::shape(source).is_some() => {
                    tensors::random(ir_dtype(port.operand.dtype), &shape, 0)
                }
                None => tensors::read(Path::new(source), &shape, pictures(a), common)?,
            };
            Ok((port.name.clone(), tensor))
        })
        .collect()
}

/// Feeds, runs, fetches.
pub fn execute(
    model: &Model,
    inputs: &[(String, Tensor)],
    threads: usize,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let mut session = model.session(threads)?;
    let views: Vec<(&str, TensorView)> = inputs
        .iter()
        .map(|(name, t)| {
            let scalar = t.len() == 1
                && model
                    .program()
                    .inputs
                    .iter()
                    .any(|p| p.name == *name && p.operand.dims.is_empty());
            let shape = if scalar { &[][..] } else { t.shape() };
            let view = TensorView::from_bytes(emit::dtype(t.dtype()), shape, t.bytes());
            view.map(|v| (name.as_str(), v)).ok_or_else(|| {
                Failure::input(format!("input '{name}': the data does not match the shape"))
            })
        })
        .collect::<Result<_, _>>()?;
    let outputs = session.run_with(&views)?;
    outputs
        .into_iter()
        .map(|(name, t)| Ok((name, host(&t)?)))
        .collect()
}

/// A runtime tensor as one of ours.
fn host(t: &rt::Tensor) -> Result<Tensor, Failure> {
    let copy = bytes::Bytes::copy_from_slice(t.bytes());
    Tensor::new(ir_dtype(t.dtype()), t.dims().to_vec(), copy)
        .ok_or_else(|| Failure::input("an output's data does not match its shape"))
}

pub fn ir_dtype(d: rt::DType) -> DType {
    DType::ALL
        .into_iter()
        .find(|i| emit::dtype(*i) == d)
        .unwrap_or(DType::F32)
}

/// A file name for a tensor name: what could leave the folder or confuse a shell becomes `_`, but a backslash or colon stays.
fn file_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| {
            if c == '/' || c == '\0' || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    if safe.starts_with('.') {
        format!("_{safe}.npy")
    } else {
        format!("{safe}.npy")
    }
}

fn write(a: &Run, outputs: &[(String, Tensor)]) -> Result<(), Failure> {
    if let Some(dir) = &a.output_dir {
        std::fs::create_dir_all(dir).map_err(|e| Failure::file(dir, &e))?;
        for (name, t) in outputs {
            tensors::write(&dir.join(file_name(name)), t, a.scale)?;
        }
    }
    for text in &a.outputs {
        let (name, file) = load::assignment(text)?;
        let (_, t) = outputs
            .iter()
            .find(|(n, _)| n == name)
            .ok_or_else(|| Failure::input(format!("there is no output '{name}'")))?;
        tensors::write(&PathBuf::from(file), t, a.scale)?;
    }
    Ok(())
}

fn report(a: &Run, common: &Common, outputs: &[(String, Tensor)]) -> Result<(), Failure> {
    let labels = match &a.labels {
        Some(file) => std::fs::read_to_string(file).map_err(|e| Failure::file(file, &e))?,
        None => String::new(),
    };
    let labels: Vec<&str> = labels.lines().collect();
    for (name, t) in outputs {
        let ranked = ranking::largest(&t.to_f64(), a.top, &labels);
        if common.json {
            let mut object = serde_json::json!({
                "output": name, "dtype": t.dtype().name(), "shape": t.shape(), "digest": tensors::digest(t),
            });
            if a.top > 0 {
                object["top"] = ranked.iter().map(ranking::Rank::json).collect();
            }
            line(&object.to_string())?;
            continue;
        }
        if !common.quiet {
            line(&format!(
                "{}  {}  {}",
                printable(name),
                t.ty(),
                tensors::digest(t)
            ))?;
        }
        for rank in ranked {
            line(&rank.to_string())?;
        }
    }
    Ok(())
}
