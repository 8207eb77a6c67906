//! `cnnc export`: a model as an ONNX file.

use super::args::{Common, Export};
use super::failure::Failure;
use super::{line, load, note, output};
use crate::frontend::onnx::export::{self, MAX_INLINE, Separate};
use crate::frontend::onnx::proto::Model;
use std::path::{Path, PathBuf};

pub fn run(a: &Export, common: &Common) -> Result<(), Failure> {
    let (path, out) = (&a.model.model, &a.output);
    if !a.onnx && out.extension().is_none_or(|e| e != "onnx") {
        return Err(Failure::input(format!(
            "{}: export as what? --onnx, or a name that ends in .onnx",
            out.display()
        )));
    }
    output::check(out)?;
    if output::same_file(out, path) {
        return Err(Failure::input(format!(
            "-o {} would replace the model itself",
            out.display()
        )));
    }
    let graph = load::free(path, &load::shapes(&a.model.inputs)?, common)?;
    let refused = |e| Failure::input(format!("{}: {e}", path.display()));
    let mut model = export::export(&graph, a.opset).map_err(refused)?;
    let (bytes, weights) = write(&mut model, out)?;
    let opset = model.opset_import.first().map_or(0, |o| o.version);
    let nodes = model.graph.as_ref().map_or(0, |g| g.node.len());
    if common.json {
        return line(
            &serde_json::json!({
                "model": path.display().to_string(), "output": out.display().to_string(), "opset": opset, "nodes": nodes,
                "bytes": bytes, "separate_weights": weights.map(|w| w.display().to_string()),
            })
            .to_string(),
        );
    }
    note(
        common,
        &format!(
            "{}: {nodes} nodes of opset {opset}, {:.1} MB{}",
            out.display(),
            bytes as f64 / 1e6,
            weights.map_or(String::new(), |w| format!(", weights in {}", w.display())),
        ),
    );
    Ok(())
}

/// Writes a model's file, and beside it one of weights where they are too large for the former; bytes of the one, name of the other.
pub fn write(model: &mut Model, out: &Path) -> Result<(usize, Option<PathBuf>), Failure> {
    let weights = weights_of(out);
    let location = weights.file_name().unwrap_or_default().to_string_lossy();
    let separate = Separate::from(model, &location, MAX_INLINE);
    if let Some(separate) = &separate {
        output::write(&weights, &separate.to_bytes())?;
    }
    let bytes = export::to_bytes(model);
    output::write(out, &bytes)?;
    Ok((bytes.len(), separate.map(|_| weights)))
}

/// The file of weights beside a model's.
fn weights_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".data");
    out.with_file_name(name)
}
